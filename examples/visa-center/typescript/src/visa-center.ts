// The visa center: callers type their registration number and hear whether their visa is approved.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

const URL_OF_API = process.env.CORDBOARD_URL ?? "ws://127.0.0.1:8080/ws";
const LOGIN = process.env.CORDBOARD_LOGIN ?? "301";
const PASSWORD = process.env.CORDBOARD_PASSWORD ?? "cordboard";
const ACCESS_NUMBER = process.env.ACCESS_NUMBER ?? "1733355700";

const ENTER_NUMBER = "visa/enter-number.au";
const APPROVED = "visa/approved.g729";
const NOT_FOUND = "visa/not-found.au";

// Below the 300 s after which a connection without requests is closed.
const PING_EVERY_MS = 60_000;
// Whoever is back within ten seconds loses no caller.
const RECONNECT_AFTER_MS = 500;

interface Registration {
  name: string;
  approved: boolean;
}

interface CallInfo {
  call: { id: string; tag: string };
  state: string;
}

interface IvrInfo {
  event: string;
  digits?: string;
}

type Notification =
  | { method: "CallControl/call_state"; params: { event_id: string; call_info: CallInfo } }
  | { method: "CallControl/ivr_event"; params: { event_id: string; call: { id: string }; ivr_info: IvrInfo } }
  | { method: "Session/token_expiring" | "CallControl/notifications_gap"; params: { event_id?: string } };

type Answer = { id: number; result: unknown } | { id: number; error: { code: number; message: string } };

const registrations: Record<string, Registration> = JSON.parse(
  readFileSync(new URL("../../registrations.json", import.meta.url), "utf8"),
);

/** The answer to a request was an error. */
class Refused extends Error {
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** JSON-RPC over one WebSocket: requests, their answers, and notifications in their order. */
class Connection {
  private nextId = 1;
  private readonly waiting = new Map<number, (answer: Answer | undefined) => void>();
  private readonly arrived: Notification[] = [];
  private hasEnded = false;
  private wake: () => void = () => {};

  private constructor(private readonly socket: WebSocket) {
    socket.on("message", (data) => this.received(JSON.parse(String(data))));
    socket.on("close", () => this.ended());
    socket.on("error", () => socket.terminate());
  }

  static open(url: string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.once("error", reject);
      socket.once("open", () => {
        socket.off("error", reject);
        resolve(new Connection(socket));
      });
    });
  }

  private received(frame: Answer | Notification): void {
    if ("method" in frame) {
      this.arrived.push(frame);
      this.wake();
    } else {
      this.waiting.get(frame.id)?.(frame);
      this.waiting.delete(frame.id);
    }
  }

  private ended(): void {
    this.hasEnded = true;
    for (const answer of this.waiting.values()) answer(undefined);
    this.wake();
  }

  async call(method: string, params: object = {}): Promise<unknown> {
    const id = this.nextId++;
    const answer = await new Promise<Answer | undefined>((resolve) => {
      if (this.hasEnded) return resolve(undefined);
      this.waiting.set(id, resolve);
      this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
    if (answer === undefined) throw new Error("the connection has ended");
    if ("error" in answer) throw new Refused(answer.error.code, answer.error.message);
    return answer.result;
  }

  /** Notifications until the connection ends. */
  async *notifications(): AsyncGenerator<Notification> {
    for (;;) {
      const next = this.arrived.shift();
      if (next !== undefined) yield next;
      else if (this.hasEnded) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

/** The application; it outlives its connections. */
class VisaCenter {
  /** What each caller is being asked or told, by call id. */
  private readonly conversations = new Map<string, "asked" | "told">();
  private lastEvent: string | undefined;

  async run(): Promise<never> {
    for (;;) {
      try {
        await this.serve(await Connection.open(URL_OF_API));
      } catch (problem) {
        console.log(`connection lost: ${problem}`);
      }
      await sleep(RECONNECT_AFTER_MS);
    }
  }

  private async serve(connection: Connection): Promise<void> {
    await connection.call("Session/login", { login: LOGIN, password: PASSWORD });
    await connection.call("CallControl/enable_api_notifications", {
      access_number: ACCESS_NUMBER,
      ...(this.lastEvent && { resume_from: this.lastEvent }),
    });
    console.log(`listening to ${ACCESS_NUMBER}`);
    const keepAlive = setInterval(() => {
      connection.call("Session/ping").catch(() => {}); // The loop below notices a lost connection.
    }, PING_EVERY_MS);
    try {
      for await (const notification of connection.notifications()) {
        await this.notified(connection, notification);
      }
    } finally {
      clearInterval(keepAlive);
    }
  }

  private async notified(connection: Connection, notification: Notification): Promise<void> {
    try {
      if (notification.method === "CallControl/call_state") {
        await this.callState(connection, notification.params.call_info);
      } else if (notification.method === "CallControl/ivr_event") {
        await this.ivrEvent(connection, notification.params.call.id, notification.params.ivr_info);
      }
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      // Another instance took the call, or the caller has hung up.
      console.log(`refused (${problem.code}): ${problem.message}`);
    }
    // Only now: what was not dealt with comes again after a reconnection.
    this.lastEvent = notification.params.event_id ?? this.lastEvent;
  }

  private async callState(connection: Connection, info: CallInfo): Promise<void> {
    const id = info.call.id;
    const call = { id };
    if (info.state === "terminated") {
      if (this.conversations.delete(id)) console.log("call ended");
    } else if (["ringing", "early"].includes(info.state) && !this.conversations.has(id)) {
      await connection.call("CallControl/answer_call", { call });
      this.conversations.set(id, "asked");
      console.log("call answered");
      await connection.call("CallControl/play_prompt", {
        call,
        prompts: [ENTER_NUMBER],
        interrupt_playback_on_input: "Y",
      });
      await connection.call("CallControl/start_dtmf_detect", { call, terminators: "#" });
    }
  }

  private async ivrEvent(connection: Connection, id: string, info: IvrInfo): Promise<void> {
    const call = { id };
    const conversation = this.conversations.get(id);
    if (conversation === "asked" && ["input_collected", "input_timeout"].includes(info.event)) {
      const isApproved = registrations[info.digits ?? ""]?.approved ?? false;
      console.log(`registration ${isApproved ? "approved" : "not found"}`);
      this.conversations.set(id, "told");
      const prompt = isApproved ? APPROVED : NOT_FOUND;
      await connection.call("CallControl/play_prompt", { call, prompts: [prompt] });
    } else if (conversation === "told" && info.event.startsWith("prompt_playback_")) {
      await connection.call("CallControl/terminate_call", { call });
    }
  }
}

await new VisaCenter().run();
