"""cs, what is done to a VPN that is there: update, reset, routers, restart, events, alerts, usage, guests."""

from cloud import BEGUN, CUSTOMER, SPEC_2012, CloudTest, cs

FULL = CUSTOMER | {
    "name": "branch",
    "ikelifetime": 7200,
    "esplifetime": 1800,
    "dpd": True,
    "forceencap": not SPEC_2012,
}


class CsOperation(CloudTest):
    def setUp(self):
        self.cloud = cs()

    def state(self):
        return self.first(self.cloud.listVpnConnections(), "vpnconnection")["state"]

    def router(self):
        return self.first(self.cloud.listRouters(), "router")

    def connect(self):
        vpc = self.vpc(self.cloud)
        self.tier(self.cloud, vpc)
        connection = self.connection(self.cloud, vpc)
        self.assertEqual(connection["state"], BEGUN)
        self.eventually(self.state, "Connected")
        return vpc, connection

    def test_what_was_sent_is_what_is_listed(self):
        """Idempotent clients compare each field that they send, and change nothing if all are equal."""
        made = self.cloud.createVpnCustomerGateway(**FULL)["vpncustomergateway"]
        [listed] = self.cloud.listVpnCustomerGateways(fetch_list=True)
        self.assertFields(listed, **FULL)
        self.assertEqual(listed, made)
        same = self.cloud.updateVpnCustomerGateway(id=made["id"], **FULL)["vpncustomergateway"]
        self.assertEqual(same, made)

    def test_an_update_replaces_everything(self):
        made = self.cloud.createVpnCustomerGateway(**FULL)["vpncustomergateway"]
        changed = CUSTOMER | {"gateway": "198.51.100.8", "cidrlist": "172.20.0.0/16", "esppolicy": "3des-md5"}
        updated = self.cloud.updateVpnCustomerGateway(id=made["id"], **changed)["vpncustomergateway"]
        self.assertFields(
            updated,
            id=made["id"],
            name="VPN-198.51.100.8",
            ikelifetime=86400,
            esplifetime=3600,
            dpd=False,
            forceencap=False,
            **changed,
        )
        self.assertEqual(self.first(self.cloud.listVpnCustomerGateways(), "vpncustomergateway"), updated)

    def test_an_update_while_connected(self):
        _, connection = self.connect()
        change = CUSTOMER | {"id": connection["s2scustomergatewayid"], "dpd": True}
        if SPEC_2012:
            text = "Unable to update customer gateway with connections in non-Error state!"
            self.refused(431, text, self.cloud.updateVpnCustomerGateway, **change)
            self.assertEqual(self.state(), "Connected")
        else:
            self.assertIs(self.cloud.updateVpnCustomerGateway(**change)["vpncustomergateway"]["dpd"], True)
            self.eventually(self.state, "Connected")
            self.assertIs(self.first(self.cloud.listVpnConnections(), "vpnconnection")["dpd"], True)

    def test_a_reset(self):
        _, connection = self.connect()
        reset = self.cloud.resetVpnConnection(id=connection["id"])["vpnconnection"]
        self.assertEqual(reset, connection | {"state": BEGUN})
        self.eventually(self.state, "Connected")

    def test_a_router_that_stops_starts_and_boots(self):
        vpc, connection = self.connect()
        router = self.router()
        self.assertFields(
            router,
            state="Running",
            role="VIRTUAL_ROUTER",
            vpcid=vpc["id"],
            publicip=connection["publicip"],
            isredundantrouter=False,
            redundantstate="UNKNOWN",
        )
        stopped = self.cloud.stopRouter(id=router["id"])["router"]
        self.assertEqual(stopped, router | {"state": "Stopped"})
        self.assertEqual((self.router(), self.state()), (stopped, "Disconnected"))
        self.refused(534, "router is not in the right state", self.cloud.resetVpnConnection, id=connection["id"])
        self.refused(534, "not in right state Stopped", self.cloud.rebootRouter, id=router["id"])

        self.assertEqual(self.cloud.startRouter(id=router["id"])["router"], router)
        self.eventually(self.state, "Connected")
        self.assertEqual(self.cloud.rebootRouter(id=router["id"])["router"], router)
        self.eventually(self.state, "Connected")
        # A failed reset leaves nothing behind that a later one stumbles over.
        self.cloud.resetVpnConnection(id=connection["id"])
        self.eventually(self.state, "Connected")

    def test_a_restart_of_a_vpc(self):
        vpc, _ = self.connect()
        for cleanup in (False, True):
            self.assertEqual(self.cloud.restartVPC(id=vpc["id"], cleanup=cleanup), {"success": True})
            self.assertEqual(self.router()["state"], "Running")
            self.eventually(self.state, "Connected")
        self.assertIs(self.first(self.cloud.listVPCs(), "vpc")["restartrequired"], False)

    def test_events_of_a_connection(self):
        _, connection = self.connect()
        events = self.cloud.listEvents(type="VPN.S2S.CONNECTION.CREATE")["event"]
        self.assertEqual([event["state"] for event in events], ["Completed", "Started", "Scheduled"])
        for event in events:
            self.assertFields(event, level="INFO", username="admin", account="admin", domain="ROOT")
        self.assertEqual({event["parentid"] for event in events[:2]}, {events[2]["id"]})
        self.assertEqual(events[0]["description"], "Successfully completed starting s2s vpn connection")

        changes = self.cloud.listEvents(type="VPN.S2S.CONNECTION.STATE")["event"]
        told = [event["description"].partition(":")[0] for event in reversed(changes)]
        steps = [("Pending", "Connected")] if SPEC_2012 else [("Pending", "Connecting"), ("Connecting", "Connected")]
        self.assertEqual(told, [f"VPN connection {connection['id']} went from {a} to {b}" for a, b in steps])
        self.assertEqual(self.cloud.listEvents(fetch_list=True), self.cloud.listEvents()["event"])

    def test_alerts_of_what_the_monitor_saw(self):
        self.connect()
        alerts = self.cloud.listAlerts()
        if SPEC_2012:
            # It was Connected before the monitor looked.
            return self.assertEmpty(alerts)
        alert = self.first(alerts, "alert")
        text = "Site-to-site Vpn Connection to VPN-198.51.100.7 just switched from Connecting to Connected"
        self.assertFields(alert, description=text, name="ALERT.SERVICE.DOMAINROUTER", type=9)
        self.assertEqual(self.cloud.listAlerts(type=9), alerts)
        self.assertEmpty(self.cloud.listAlerts(type=1))

    def test_usage_of_a_connection_that_carried_nothing(self):
        """No packets are in this world; the counting is tested where there are some."""
        vpc, connection = self.connect()
        usage = self.cloud.listUsageRecords(startdate="2020-01-01", enddate="2199-12-31")
        self.assertEqual(usage["count"], 2)
        for record, kind, way in zip(usage["usagerecord"], (4, 5), ("sent", "received")):
            self.assertFields(
                record,
                account="admin",
                usageid=connection["id"],
                usagetype=kind,
                rawusage="0",
                usage=f"0 bytes {way}",
                vpcid=vpc["id"],
                zoneid=vpc["zoneid"],
            )
            self.assertRegex(record["startdate"], r"T00:00:00\+0000$")
        self.assertEmpty(self.cloud.listUsageRecords(startdate="2020-01-01", enddate="2020-12-31"))
        types = self.cloud.listUsageTypes()["usagetype"]
        self.assertEqual([kind["usagetypeid"] for kind in types], [4, 5])
        backwards = {"startdate": "2026-02-01", "enddate": "2026-01-01"}
        self.refused(431, "Incorrect Date Range", self.cloud.listUsageRecords, **backwards)

    def test_a_guest_in_a_tier(self):
        vpc = self.vpc(self.cloud)
        tier = self.tier(self.cloud, vpc)
        size = self.first(self.cloud.listServiceOfferings(), "serviceoffering")
        self.assertFields(size, cpunumber=1, memory=512)
        template = self.first(self.cloud.listTemplates(templatefilter="executable"), "template")
        self.assertFields(template, isready=True, hypervisor="KVM", format="QCOW2")
        guest = self.cloud.deployVirtualMachine(
            name="guest",
            serviceofferingid=size["id"],
            templateid=template["id"],
            zoneid=vpc["zoneid"],
            networkids=[tier["id"]],
        )["virtualmachine"]
        self.assertFields(guest, name="guest", displayname="guest", state="Running", templateid=template["id"])
        [nic] = guest["nic"]
        self.assertFields(nic, ipaddress="10.10.1.2", gateway="10.10.1.1", networkid=tier["id"], isdefault=True)
        self.assertEqual(self.first(self.cloud.listVirtualMachines(vpcid=vpc["id"]), "virtualmachine"), guest)
        self.refused(431, "not all user vms are expunged", self.cloud.deleteNetwork, id=tier["id"])
        gone = self.cloud.destroyVirtualMachine(id=guest["id"], expunge=True)["virtualmachine"]
        self.assertEqual((gone["id"], gone["state"]), (guest["id"], "Destroyed"))
        self.assertEmpty(self.cloud.listVirtualMachines())
        self.assertEqual(self.cloud.deleteNetwork(id=tier["id"]), {"success": True})
