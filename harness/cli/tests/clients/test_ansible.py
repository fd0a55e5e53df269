"""Ansible's collection ngine_io.cloudstack, whose modules change nothing that is as it should be."""

import os
import subprocess
import sys
import tempfile

from cloud import ENVIRONMENT, CloudTest, cs


class Ansible(CloudTest):
    def test_a_vpn_is_made_found_changed_and_taken_away(self):
        with tempfile.TemporaryDirectory() as home:
            environment = os.environ | ENVIRONMENT | {
                "ANSIBLE_HOME": home,
                "ANSIBLE_LOCAL_TEMP": home,
                "ANSIBLE_REMOTE_TEMP": home,
                "ANSIBLE_PIPELINING": "1",
                "LC_ALL": "C.UTF-8",
            }
            program = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "ansible.yml"]
            played = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual(played.returncode, 0, played.stdout + played.stderr)
        for command in ("listVPCs", "listNetworks", "listVpnGateways", "listVpnCustomerGateways", "listVpnConnections"):
            self.assertEmpty(getattr(cs(), command)(listall=True))
        made = cs().listEvents(type="VPN.S2S.CONNECTION.CREATE", fetch_list=True)
        self.assertEqual([event["state"] for event in made].count("Completed"), 2)
