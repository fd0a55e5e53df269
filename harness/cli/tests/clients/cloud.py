"""The cloud that the suite talks to, told by the environment, and clients of it as they are."""

import os
import time
import unittest

from cs import CloudStack, CloudStackApiException
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

URL = os.environ["TUNNELPROOF_URL"]
API_KEY = os.environ["TUNNELPROOF_API_KEY"]
SECRET_KEY = os.environ["TUNNELPROOF_SECRET_KEY"]
PROFILE = os.environ["TUNNELPROOF_PROFILE"]

# In seconds: on a machine that has much else to do.
TIMEOUT = 60
# What programs read that are built on cs.
ENVIRONMENT = {
    "CLOUDSTACK_ENDPOINT": URL,
    "CLOUDSTACK_KEY": API_KEY,
    "CLOUDSTACK_SECRET": SECRET_KEY,
    "CLOUDSTACK_TIMEOUT": str(TIMEOUT),
    "CLOUDSTACK_POLL_INTERVAL": "0.05",
}

SPEC_2012 = PROFILE == "spec-2012"
# What a connection is in when its job is done: 4.22 leaves it to the monitor to see the tunnel.
BEGUN = "Connected" if SPEC_2012 else "Connecting"

CUSTOMER = {
    "gateway": "198.51.100.7",
    "cidrlist": "172.16.10.0/24,192.168.10.0/24",
    "ipsecpsk": "p@ss w*rd+/=:;, Müller",
    "ikepolicy": "aes128-sha1;modp1536",
    "esppolicy": "aes256-sha1;modp1536",
}


def libcloud(secret=SECRET_KEY):
    return get_driver(Provider.CLOUDSTACK)(key=API_KEY, secret=secret, secure=False, url=URL)


def cs(key=API_KEY, secret=SECRET_KEY, **options):
    """Jobs are waited for, as Ansible's modules do; they take milliseconds here."""
    options = {"fetch_result": True, "poll_interval": 0.02, "job_timeout": 60, "timeout": TIMEOUT} | options
    return CloudStack(endpoint=URL, key=key, secret=secret, **options)


class CloudTest(unittest.TestCase):
    """A cloud of its own for each test, which the caller has started, and steps that many stories begin with."""

    maxDiff = None

    def assertFields(self, thing, **expected):
        self.assertEqual({name: thing.get(name) for name in expected}, expected)

    def assertEmpty(self, answer):
        """Neither a count nor an array."""
        self.assertEqual(answer, {})

    def refused(self, status, text, call, *arguments, **parameters):
        """A request that is answered with an error, or whose job fails; the error object."""
        with self.assertRaises(CloudStackApiException) as caught:
            call(*arguments, **parameters)
        error = caught.exception.error
        self.assertEqual(error["errorcode"], status)
        self.assertIn(text, error["errortext"])
        return error

    def first(self, answer, name):
        self.assertEqual(set(answer), {"count", name})
        self.assertEqual(answer["count"], len(answer[name]))
        return answer[name][0]

    def vpc(self, client, name="main", cidr="10.10.0.0/16"):
        zone = self.first(client.listZones(), "zone")
        offering = self.first(client.listVPCOfferings(), "vpcoffering")
        return client.createVPC(
            name=name, displaytext=name, cidr=cidr, zoneid=zone["id"], vpcofferingid=offering["id"]
        )["vpc"]

    def tier(self, client, vpc, name="web", gateway="10.10.1.1"):
        offering = self.first(client.listNetworkOfferings(forvpc=True), "networkoffering")
        return client.createNetwork(
            name=name,
            displaytext=name,
            zoneid=vpc["zoneid"],
            networkofferingid=offering["id"],
            vpcid=vpc["id"],
            gateway=gateway,
            netmask="255.255.255.0",
        )["network"]

    def connection(self, client, vpc, **customer):
        """Both gateways and what connects them."""
        gateway = client.createVpnGateway(vpcid=vpc["id"])["vpngateway"]
        customer = client.createVpnCustomerGateway(**CUSTOMER | customer)["vpncustomergateway"]
        return client.createVpnConnection(s2svpngatewayid=gateway["id"], s2scustomergatewayid=customer["id"])[
            "vpnconnection"
        ]

    def eventually(self, look, expected, seconds=TIMEOUT):
        """Of what the monitor has to see, which looks every second here."""
        deadline = time.monotonic() + seconds
        while (seen := look()) != expected:
            if time.monotonic() > deadline:
                self.assertEqual(seen, expected, f"after {seconds} s")
            time.sleep(0.2)
