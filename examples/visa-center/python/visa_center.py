"""The visa center: callers type their registration number and hear whether their visa is approved."""

import asyncio
import itertools
import json
import os
import pathlib
import sys

import websockets

URL = os.environ.get("CORDBOARD_URL", "ws://127.0.0.1:8080/ws")
LOGIN = os.environ.get("CORDBOARD_LOGIN", "301")
PASSWORD = os.environ.get("CORDBOARD_PASSWORD", "cordboard")
ACCESS_NUMBER = os.environ.get("ACCESS_NUMBER", "1733355700")

ENTER_NUMBER = "visa/enter-number.au"
APPROVED = "visa/approved.g729"
NOT_FOUND = "visa/not-found.au"

# Below the 300 s after which a connection without requests is closed.
PING_EVERY = 60
# Whoever is back within ten seconds loses no caller.
RECONNECT_AFTER = 0.5

REGISTRATIONS = json.loads((pathlib.Path(__file__).parent.parent / "registrations.json").read_text())


def say(text):
    print(text, flush=True)


class Refused(Exception):
    """The answer to a request was an error."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]


class Connection:
    """JSON-RPC over one WebSocket: requests, their answers, and notifications in their order."""

    def __init__(self, socket):
        self.socket = socket
        self.ids = itertools.count(1)
        self.waiting = {}
        self.notifications = asyncio.Queue()

    async def read(self):
        """Reads until the connection ends; then nothing more is answered or notified."""
        try:
            async for text in self.socket:
                frame = json.loads(text)
                if "method" in frame:
                    self.notifications.put_nowait((frame["method"], frame["params"]))
                elif answer := self.waiting.pop(frame["id"], None):
                    answer.set_result(frame)
        finally:
            self.notifications.put_nowait(None)
            for answer in self.waiting.values():
                answer.set_exception(ConnectionError("the connection has ended"))

    async def call(self, method, **params):
        request = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": params}
        answer = asyncio.get_running_loop().create_future()
        self.waiting[request["id"]] = answer
        await self.socket.send(json.dumps(request))
        frame = await answer
        if "error" in frame:
            raise Refused(frame["error"])
        return frame["result"]

    async def keep_alive(self):
        while True:
            await asyncio.sleep(PING_EVERY)
            await self.call("Session/ping")


class VisaCenter:
    """The application; it outlives its connections."""

    def __init__(self):
        # What each caller is being asked or told, by call id.
        self.conversations = {}
        self.last_event = None

    async def run(self):
        while True:
            try:
                async with websockets.connect(URL) as socket:
                    await self.serve(Connection(socket))
            except (OSError, websockets.WebSocketException) as problem:
                say(f"connection lost: {problem!r}")
            await asyncio.sleep(RECONNECT_AFTER)

    async def serve(self, connection):
        tasks = [asyncio.create_task(connection.read()), asyncio.create_task(connection.keep_alive())]
        try:
            await connection.call("Session/login", login=LOGIN, password=PASSWORD)
            wanted = {"access_number": ACCESS_NUMBER}
            if self.last_event:
                wanted["resume_from"] = self.last_event
            await connection.call("CallControl/enable_api_notifications", **wanted)
            say(f"listening to {ACCESS_NUMBER}")
            # After fifteen minutes the session ends, and the connection with it: then it begins anew.
            while notification := await connection.notifications.get():
                await self.notified(connection, *notification)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def notified(self, connection, method, params):
        try:
            if method == "CallControl/call_state":
                await self.call_state(connection, params["call_info"])
            elif method == "CallControl/ivr_event":
                await self.ivr_event(connection, params["call"]["id"], params["ivr_info"])
        except Refused as refusal:
            # Another instance took the call, or the caller has hung up.
            say(f"refused ({refusal.code}): {refusal}")
        # Only now: what was not dealt with comes again after a reconnection.
        self.last_event = params.get("event_id", self.last_event)

    async def call_state(self, connection, info):
        call_id, state = info["call"]["id"], info["state"]
        if state == "terminated":
            if self.conversations.pop(call_id, None):
                say("call ended")
        elif state in ("ringing", "early") and call_id not in self.conversations:
            call = {"id": call_id}
            await connection.call("CallControl/answer_call", call=call)
            self.conversations[call_id] = "asked"
            say("call answered")
            await connection.call(
                "CallControl/play_prompt",
                call=call,
                prompts=[ENTER_NUMBER],
                interrupt_playback_on_input="Y",
            )
            await connection.call("CallControl/start_dtmf_detect", call=call, terminators="#")

    async def ivr_event(self, connection, call_id, info):
        call, event = {"id": call_id}, info["event"]
        conversation = self.conversations.get(call_id)
        if conversation == "asked" and event in ("input_collected", "input_timeout"):
            registration = REGISTRATIONS.get(info.get("digits"))
            is_approved = bool(registration and registration["approved"])
            say(f"registration {'approved' if is_approved else 'not found'}")
            self.conversations[call_id] = "told"
            prompt = APPROVED if is_approved else NOT_FOUND
            await connection.call("CallControl/play_prompt", call=call, prompts=[prompt])
        elif conversation == "told" and event.startswith("prompt_playback_"):
            await connection.call("CallControl/terminate_call", call=call)


if __name__ == "__main__":
    try:
        asyncio.run(VisaCenter().run())
    except KeyboardInterrupt:
        sys.exit(0)
