#!/usr/bin/env python3
"""Plays a subscriber and some calls against a running system, so that its metrics have something to show.

usage: subscriber.py '{"public": …, "sim": …}'
"""

import json
import sys
import time
import urllib.request

from websockets.sync.client import connect

PATIENCE = 20


class Client:
    def __init__(self, address: str):
        self.socket = connect(f"ws://{address}/ws")
        self.number = 0
        self.events = []

    def call(self, method: str, params: dict) -> dict:
        self.number += 1
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}))
        while True:
            frame = json.loads(self.socket.recv(timeout=PATIENCE))
            if frame.get("id") == self.number:
                return frame
            self.events.append(frame)

    def until(self, is_there):
        end = time.monotonic() + PATIENCE
        while not any(map(is_there, self.events)):
            assert time.monotonic() < end, self.events
            self.events.append(json.loads(self.socket.recv(timeout=PATIENCE)))


def state_is(state: str):
    return lambda frame: frame.get("params", {}).get("call_info", {}).get("state") == state


def main():
    addresses = json.loads(sys.argv[1])
    client = Client(addresses["public"])
    client.call("Session/login", {"login": "easymobile", "password": "cordboard"})
    client.call("CallControl/enable_api_notifications", {})
    made = client.call("CallControl/originate_call", {"account_id": "101", "destination": "104"})
    client.until(state_is("connected"))
    client.call("CallControl/terminate_call", {"call": {"id": made["result"]["call"]["id"]}})
    client.call("CallControl/terminate_call", {})
    body = json.dumps({"from": "12065550100", "to": "340", "name": "Mary Smith"}).encode()
    request = urllib.request.Request(
        f"http://{addresses['sim']}/sim/trunk/call", body, {"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=PATIENCE).read()
    client.until(state_is("dequeued"))


if __name__ == "__main__":
    main()
