"""cs, with the keys of several accounts: nobody sees or touches what is another's."""

from cs import CloudStackApiException

from cloud import CUSTOMER, SPEC_2012, CloudTest, cs

LISTS = {
    "listVPCs": "vpc",
    "listNetworks": "network",
    "listVpnGateways": "vpngateway",
    "listVpnCustomerGateways": "vpncustomergateway",
    "listVpnConnections": "vpnconnection",
    "listPublicIpAddresses": "publicipaddress",
    "listVirtualMachines": "virtualmachine",
}
FOR_ADMINISTRATORS = ("listRouters", "listAlerts", "listUsers", "listUsageTypes", "listDomains", "createAccount")


class CsAccounts(CloudTest):
    def setUp(self):
        self.admin = cs()

    def user(self, name, accounttype=0):
        account = self.admin.createAccount(
            username=name,
            password="not used",
            email=f"{name}@example.com",
            firstname=name,
            lastname="Example",
            accounttype=accounttype,
        )["account"]
        self.assertFields(account, name=name, accounttype=accounttype, domain="ROOT", state="enabled")
        [user] = account["user"]
        self.assertFields(user, username=name, email=f"{name}@example.com", accountid=account["id"])
        return account, user, cs(key=user["apikey"], secret=user["secretkey"])

    def denied(self, call, *arguments, **parameters):
        with self.assertRaises(CloudStackApiException) as caught:
            call(*arguments, **parameters)
        self.assertIn(caught.exception.error["errorcode"], (401, 531))
        return caught.exception.error

    def test_one_user_neither_sees_nor_touches_what_another_has(self):
        (account, _, alice), (_, _, bob) = self.user("alice"), self.user("bob")
        vpc = self.vpc(alice)
        tier = self.tier(alice, vpc)
        connection = self.connection(alice, vpc)
        self.assertEqual(connection["account"], "alice")
        for command, name in LISTS.items():
            its = getattr(alice, command)().get(name, [])
            self.assertEqual(len(its), 0 if name == "virtualmachine" else 1, command)
            for parameters in ({}, {"listall": True}, {"id": its[0]["id"]} if its else {}):
                self.assertEmpty(getattr(bob, command)(**parameters))
            seen = getattr(self.admin, command)(listall=True).get(name, [])
            self.assertEqual([row["id"] for row in seen], [row["id"] for row in its], command)
            self.assertEmpty(getattr(self.admin, command)())
        ids = {name: connection[name] for name in ("s2svpngatewayid", "s2scustomergatewayid")}
        for command, parameters in {
            "deleteVPC": {"id": vpc["id"]},
            "restartVPC": {"id": vpc["id"]},
            "deleteNetwork": {"id": tier["id"]},
            "createVpnGateway": {"vpcid": vpc["id"]},
            "deleteVpnGateway": {"id": ids["s2svpngatewayid"]},
            "createVpnConnection": ids,
            "resetVpnConnection": {"id": connection["id"]},
            "deleteVpnConnection": {"id": connection["id"]},
            "updateVpnCustomerGateway": CUSTOMER | {"id": ids["s2scustomergatewayid"]},
            "deleteVpnCustomerGateway": {"id": ids["s2scustomergatewayid"]},
        }.items():
            error = self.denied(getattr(bob, command), **parameters)
            self.assertEqual((error["errorcode"], error["cserrorcode"]), (531, 4365), command)
        text = str(bob.listEvents(listall=True))
        self.assertNotIn("VPN", text)
        self.assertEmpty(bob.listAsyncJobs(listall=True))

        # Its keys end with it.
        self.assertEqual(self.admin.deleteAccount(id=account["id"]), {"success": True})
        self.denied(alice.listZones)
        self.assertEmpty(self.admin.listVPCs(listall=True))

    def test_commands_of_administrators(self):
        _, _, alice = self.user("alice")
        for command in FOR_ADMINISTRATORS:
            error = self.denied(getattr(alice, command))
            text = (
                "unable to verify user credentials and/or request signature"
                if SPEC_2012
                else f"The given command '{command}' either does not exist, is not available for user."
            )
            self.assertEqual((error["errorcode"], error["errortext"]), (401, text))
        names = {api["name"] for api in alice.listApis()["api"]}
        self.assertFalse(names.intersection(FOR_ADMINISTRATORS))
        self.assertLess(names, {api["name"] for api in self.admin.listApis()["api"]})

    def test_new_keys(self):
        _, user, alice = self.user("alice")
        keys = alice.registerUserKeys(id=user["id"])["userkeys"]
        self.denied(alice.listZones)
        again = cs(key=keys["apikey"], secret=keys["secretkey"])
        self.assertEqual(again.listAccounts()["account"][0]["name"], "alice")
        # Of keys and pre-shared keys of others an administrator learns only the latter.
        self.assertNotIn(keys["secretkey"], str(self.admin.listUsers(listall=True)))
