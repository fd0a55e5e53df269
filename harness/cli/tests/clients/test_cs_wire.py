"""cs: lists of many pages, refusals, signatures, and its command line."""

import json
import os
import subprocess
import sys

from cs import CloudStackApiException, CloudStackException

from cloud import CUSTOMER, ENVIRONMENT, SPEC_2012, TIMEOUT, CloudTest, cs

UNVERIFIED = "unable to verify user credentials and/or request signature"
NOBODY = "11111111-2222-4333-8444-555555555555"


class CsWire(CloudTest):
    def unverified(self, client, command="listZones", **parameters):
        with self.assertRaises(CloudStackApiException) as caught:
            getattr(client, command)(**parameters)
        # One key at the top, which cs has taken off.
        self.assertEqual(list(caught.exception.response.json()), [f"{command.lower()}response"])
        self.assertEqual(caught.exception.error, {"uuidList": [], "errorcode": 401, "errortext": UNVERIFIED})
        self.assertEqual(caught.exception.response.status_code, 401)

    def test_more_objects_than_a_page_holds(self):
        cloud = cs()
        self.assertEqual(cloud.listVpnCustomerGateways(fetch_list=True), [])
        jobs = cs(fetch_result=False)
        waiting = [
            jobs.createVpnCustomerGateway(
                **CUSTOMER | {"gateway": f"198.51.{100 + n // 250}.{1 + n % 250}", "name": f"branch {n}"}
            )["jobid"]
            for n in range(503)
        ]
        for job in waiting:
            cloud._jobresult(jobid=job)
        for page_size in (500, 100):
            rows = cloud.listVpnCustomerGateways(fetch_list=True, pagesize=page_size)
            self.assertEqual(len({row["id"] for row in rows}), 503)
            names = [row["name"] for row in rows]
            if SPEC_2012:
                # Rows are made by the jobs, in any order.
                names.sort(key=lambda name: -int(name.split()[1]))
            self.assertEqual(names, [f"branch {n}" for n in reversed(range(503))])
        # What a client sees that asks for no page, and for one past the end.
        self.assertEqual(len(cloud.listVpnCustomerGateways()["vpncustomergateway"]), 500)
        self.assertEqual(cloud.listVpnCustomerGateways()["count"], 503)
        past = cloud.listVpnCustomerGateways(page=3)
        self.assertEqual(past, {} if SPEC_2012 else {"count": 503})
        self.refused(431, "Page size can't exceed", cloud.listVpnCustomerGateways, page=1, pagesize=501)

    def test_an_id_that_nobody_has(self):
        error = self.refused(
            431,
            f"Invalid parameter id value={NOBODY} due to incorrect long value format, or entity does not exist",
            cs().deleteVpnConnection,
            id=NOBODY,
        )
        self.assertEqual((error["cserrorcode"], error["uuidList"]), (9999, []))
        self.assertEmpty(cs().listVpnConnections(vpcid=self.vpc(cs())["id"]))

    def test_a_value_that_is_refused(self):
        """The error object of an answer has a code of its own, that of a job has not."""
        refused = self.refused(
            431,
            "Invalid CIDR specified 10.10.0.0",
            cs().createVPC,
            name="x",
            displaytext="x",
            cidr="10.10.0.0",
            **{
                "zoneid": cs().listZones()["zone"][0]["id"],
                "vpcofferingid": cs().listVPCOfferings()["vpcoffering"][0]["id"],
            },
        )
        self.assertEqual(refused["cserrorcode"], 4350)
        changed = CUSTOMER | {"ikepolicy": "aes-sha1"}
        wrong = self.refused(431, "The customer gateway IKE policy", cs().createVpnCustomerGateway, **changed)
        self.assertEqual(wrong.get("cserrorcode"), None if SPEC_2012 else 4350)

    def test_wrong_keys_and_late_requests(self):
        for wrong in (cs(secret="wrong"), cs(key="wrong"), cs(expiration=0), cs(secret="wrong", method="post")):
            self.unverified(wrong)
        self.unverified(cs(), expires="yesterday", signatureVersion="3")
        for expires in ("2126-11-24T12:53:05+0000", "2126-11-24T12:53:05Z", "2126-11-24T13:53:05+0100"):
            for name in ("signatureVersion", "signatureversion", "SIGNATUREVERSION"):
                self.assertEqual(cs().listZones(expires=expires, **{name: "3"})["count"], 1)

    def test_a_command_that_nobody_knows(self):
        with self.assertRaises(CloudStackApiException) as caught:
            cs().listNothing()
        self.assertEqual(list(caught.exception.response.json()), ["errorresponse"])
        self.assertEqual(caught.exception.error["errorcode"], 401)

    def test_a_tilde_is_not_signed_as_by_java(self):
        """cs leaves `~` as it is, Java's URLEncoder writes `%7E`: CloudStack answers 401, and so must this."""
        for method in ("get", "post"):
            self.unverified(cs(method=method), "createVpnCustomerGateway", **CUSTOMER | {"ipsecpsk": "a~b"})
        every = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '~"')
        for method in ("get", "post"):
            changed = CUSTOMER | {"ipsecpsk": every, "gateway": "198.51.100.9"}
            made = cs(method=method).createVpnCustomerGateway(**changed)
            self.assertEqual(made["vpncustomergateway"]["ipsecpsk"], every)
            cs().deleteVpnCustomerGateway(id=made["vpncustomergateway"]["id"])

    def test_booleans_in_any_case(self):
        words = {"true": True, "True": True, "TRUE": True, "False": False, "None": False}
        for n, (sent, meant) in enumerate(words.items()):
            made = cs().createVpnCustomerGateway(**CUSTOMER | {"gateway": f"198.51.100.{n + 1}", "dpd": sent})
            self.assertIs(made["vpncustomergateway"]["dpd"], meant)

    def test_an_update_of_a_vpn_gateway(self):
        """It has no result in CloudStack, which cs takes for a failure."""
        gateway = cs().createVpnGateway(vpcid=self.vpc(cs())["id"])["vpngateway"]
        with self.assertRaises(CloudStackException) as caught:
            cs().updateVpnGateway(id=gateway["id"], fordisplay=False)
        if SPEC_2012:
            self.assertEqual(caught.exception.error["errorcode"], 401)
        else:
            self.assertEqual(caught.exception.args, ("Unknown job result",))
            self.assertIs(cs().listVpnGateways()["vpngateway"][0]["fordisplay"], False)

    def test_what_it_learns_of_commands(self):
        apis = {api["name"]: api for api in cs().listApis()["api"]}
        self.assertEqual(cs().listApis()["count"], len(apis))
        create = apis["createVpnConnection"]
        self.assertIs(create["isasync"], True)
        params = {param["name"]: param for param in create["params"]}
        self.assertFields(params["s2svpngatewayid"], type="uuid", required=True)
        self.assertEqual("passive" in params, not SPEC_2012)
        for api in apis.values():
            self.assertTrue(api["description"], api["name"])
            for param in api["params"]:
                self.assertEqual({"name", "type", "required", "description"} - set(param), set(), api["name"])
                self.assertIsInstance(param["required"], bool)
            self.assertTrue(all(field["name"] for field in api["response"]))
        self.assertEqual(self.first(cs().listApis(name="listVpnConnections"), "api"), apis["listVpnConnections"])

    def command_line(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "cs", *arguments],
            env=os.environ | ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=4 * TIMEOUT,
        )

    def test_its_command_line(self):
        done = self.command_line("--post", "createVpnCustomerGateway", *(f"{k}={v}" for k, v in CUSTOMER.items()))
        self.assertEqual(done.returncode, 0, done.stderr)
        made = json.loads(done.stdout)["vpncustomergateway"]
        self.assertFields(made, **CUSTOMER)
        listed = self.command_line("listVpnCustomerGateways", "keyword=VPN-198")
        self.assertEqual(json.loads(listed.stdout), {"count": 1, "vpncustomergateway": [made]})
        failed = self.command_line("deleteVpnCustomerGateway", f"id={NOBODY}")
        self.assertEqual(failed.returncode, 1)
        self.assertEqual(json.loads(failed.stdout)["deletevpncustomergatewayresponse"]["errorcode"], 431)
