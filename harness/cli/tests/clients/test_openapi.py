"""cloudstack-openapi, which describes a cloud by what listApis says and by what its lists answer."""

import json
import os
import subprocess
import sys

from cloud import ENVIRONMENT, SPEC_2012, TIMEOUT, CloudTest, cs

# Lists that it can ask for without a parameter, and what their objects are called.
OBJECTS = {
    "listVPCs": "vpc",
    "listZones": "zone",
    "listRouters": "router",
    "listNetworks": "network",
    "listAsyncJobs": "asyncjobs",
    "listVpnGateways": "vpngateway",
    "listVpnConnections": "vpnconnection",
    "listVpnCustomerGateways": "vpncustomergateway",
    "listPublicIpAddresses": "publicipaddress",
}


class OpenApi(CloudTest):
    def test_a_document_of_all_commands(self):
        vpc = self.vpc(cs())
        self.tier(cs(), vpc)
        self.connection(cs(), vpc)
        program = [sys.executable, "-m", "cloudstack_openapi", "--probe-response-keys", "--format", "json"]
        environment = os.environ | ENVIRONMENT
        made = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=4 * TIMEOUT)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertNotIn("warning", made.stderr.lower())
        document = json.loads(made.stdout)
        self.assertEqual(document["info"]["version"], "4.0.2" if SPEC_2012 else "4.22.0.0")

        operations = {path["get"]["operationId"]: path["get"] for path in document["paths"].values()}
        apis = {api["name"]: api for api in cs().listApis()["api"]}
        self.assertEqual(set(operations), set(apis))
        for name, operation in operations.items():
            content = operation["responses"]["200"]["content"]["application/json"]["schema"]
            [root] = content["required"]
            self.assertEqual(root, f"{name.lower()}response")
            answer = content["properties"][root]
            self.assertEqual(answer.get("$ref") == "#/components/schemas/AsyncJobStart", apis[name]["isasync"], name)
            if name in OBJECTS:
                self.assertEqual(set(answer["properties"]), {"count", OBJECTS[name]})
                row = answer["properties"][OBJECTS[name]]["items"]["$ref"].rpartition("/")[2]
                known = set(document["components"]["schemas"][row]["properties"])
                [listed, *_] = getattr(cs(), name)(listall=True)[OBJECTS[name]]
                self.assertLessEqual(known - {"parentid"}, set(listed), name)
