// The live connection: one WebSocket, resumed from the cursors, tried again with a growing and scattered wait.
import type { Frame } from "./log";

export type Connection = { phase: "connecting"; again?: boolean } | { phase: "live" } | { phase: "waiting"; until: number; wait: number } | { phase: "closed" };

type Hooks = {
  /** resume answers the first frame of each connection. */
  resume: () => object;
  frame: (f: Frame) => void;
  state: (c: Connection) => void;
  /** closed is asked after each loss whether the session still holds. */
  closed: () => Promise<boolean>;
};

const heartbeat = 25_000;

/** backoff answers how long to wait before try n (from 0), in milliseconds: doubling, at most 30 s, the half of it by chance. */
export const backoff = (n: number, chance = Math.random()) => Math.round(Math.min(30_000, 500 * 2 ** n) * (0.5 + chance / 2));

/** readFrame answers the frame of a text; null where it is none. */
export function readFrame(text: unknown): Frame | null {
  if (typeof text !== "string") return null;
  try {
    const f: unknown = JSON.parse(text);
    return typeof f === "object" && f !== null && "op" in f && typeof f.op === "string" ? (f as Frame) : null;
  } catch {
    return null;
  }
}

export class StreamSocket {
  private socket: WebSocket | null = null;
  private tries = 0;
  private timer: number | undefined;
  private beat: number | undefined;
  private stopped = true;
  private heard = 0;
  private answersPings = false;

  constructor(private readonly hooks: Hooks) {}

  start(): void {
    this.stopped = false;
    window.addEventListener("online", this.now);
    document.addEventListener("visibilitychange", this.visible);
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    window.removeEventListener("online", this.now);
    document.removeEventListener("visibilitychange", this.visible);
    window.clearTimeout(this.timer);
    window.clearInterval(this.beat);
    this.socket?.close(1000);
    this.socket = null;
    this.hooks.state({ phase: "closed" });
  }

  send(frame: object): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** now tries at once, where a connection is waited for. */
  readonly now = (): void => {
    if (this.stopped || this.socket) return;
    window.clearTimeout(this.timer);
    this.connect();
  };

  private readonly visible = (): void => {
    if (document.visibilityState === "visible") this.now();
  };

  private connect(): void {
    this.hooks.state({ phase: "connecting", again: this.tries > 1 });
    const url = new URL("/api/v1/stream", window.location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = () => {
      socket.send(JSON.stringify(this.hooks.resume()));
      this.heard = Date.now();
      this.beat = window.setInterval(() => this.ping(socket), heartbeat);
      this.hooks.state({ phase: "live" });
    };
    socket.onmessage = (e: MessageEvent<unknown>) => {
      if (socket !== this.socket) return;
      this.heard = Date.now();
      this.tries = 0;
      const f = readFrame(e.data);
      if (f?.op === "pong") this.answersPings = true;
      else if (f) this.hooks.frame(f);
    };
    socket.onclose = () => {
      if (socket === this.socket) void this.lost();
    };
  }

  private ping(socket: WebSocket): void {
    // A connection that once answered pings and has been silent for two of them is dead, whatever the browser thinks.
    if (this.answersPings && Date.now() - this.heard > 2 * heartbeat + 5_000) {
      socket.close();
      return;
    }
    this.send({ op: "ping" });
  }

  private async lost(): Promise<void> {
    this.socket = null;
    window.clearInterval(this.beat);
    if (this.stopped) return;
    const wait = backoff(this.tries++);
    this.hooks.state({ phase: "waiting", until: Date.now() + wait, wait });
    if (!(await this.hooks.closed()) || this.stopped || this.socket) return;
    this.timer = window.setTimeout(() => this.connect(), wait);
  }
}
