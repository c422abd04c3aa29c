// The shell around log.ts: it feeds the pure state with answers and frames, and carries out what the state asks for.
import * as api from "../api/chat";
import { Problem } from "../api/client";
import { cursors, initial, reduce, type Action, type State } from "./log";
import { StreamSocket, type Connection } from "./socket";

const pageSize = 50;

export class ChatStore {
  private state: State;
  private connection: Connection = { phase: "connecting" };
  private problem: Problem | null = null;
  private readonly listeners = new Set<() => void>();
  private readonly socket: StreamSocket;
  private readonly busy = new Set<string>(); // what is being read, so that nothing is read twice at once
  private reading = new Map<string, number>(); // read cursors already told
  private snapshot: Snapshot;
  private stopped = false;

  constructor(self: string, sessionHolds: () => Promise<boolean>) {
    this.state = initial(self);
    this.socket = new StreamSocket({
      resume: () => {
        this.dispatch({ type: "connected" });
        const { personSeq } = this.state;
        return { op: "resume", ...(personSeq === null ? {} : { person_seq: personSeq }), channels: cursors(this.state) };
      },
      frame: (frame) => this.dispatch({ type: "frame", frame }),
      state: (connection) => {
        this.connection = connection;
        this.tell();
      },
      closed: sessionHolds,
    });
    this.snapshot = this.makeSnapshot();
  }

  readonly subscribe = (fn: () => void): (() => void) => {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  };

  readonly getSnapshot = (): Snapshot => this.snapshot;

  /** start reads the list of channels, then opens the stream: what happens between the two is in the resume. */
  async start(): Promise<void> {
    await this.list();
    if (!this.stopped && this.state.listed) this.socket.start();
  }

  /** stop closes the stream and forgets everything. */
  stop(): void {
    this.stopped = true;
    this.socket.stop();
    this.state = initial("");
    this.tell();
  }

  retryNow(): void {
    this.socket.now();
  }

  /** reload asks for the list again, after it could not be had. */
  reload(): void {
    void (this.state.listed ? this.list() : this.start());
  }

  /** look tells which channel is looked at; empty: none. */
  look(channel: string): void {
    this.dispatch({ type: "opened", channel });
    const log = this.state.logs[channel];
    if (log && !log.gone && !log.loaded) void this.newest(channel);
    this.markRead(channel);
  }

  /** visible tells whether anybody can see the page. */
  visible(yes: boolean): void {
    this.dispatch({ type: "hidden", hidden: !yes });
    if (yes) this.markRead(this.state.open);
  }

  /** markRead tells the server that everything up to the newest was seen. */
  markRead(channel: string): void {
    const log = this.state.logs[channel];
    if (!log || log.gone || this.state.open !== channel || this.state.hidden) return;
    const seq = log.last;
    if (seq <= Math.max(log.read, this.reading.get(channel) ?? 0)) {
      if (log.unread > 0) this.dispatch({ type: "read", channel, seq });
      return;
    }
    this.reading.set(channel, seq);
    this.dispatch({ type: "read", channel, seq });
    api.markRead(channel, seq).catch(() => this.reading.delete(channel));
  }

  /** earlier reads the page of history before the oldest message. */
  async earlier(channel: string): Promise<void> {
    const log = this.state.logs[channel];
    const oldest = log?.messages[0];
    if (!log || log.complete || !oldest) return;
    await this.once(`earlier ${channel}`, async () => {
      const page = await api.messages(channel, { before: oldest.seq, limit: pageSize });
      this.dispatch({ type: "history", channel, messages: page.items, complete: !page.next && page.items.length < pageSize, newest: false });
    });
  }

  /** post sends a draft, shown at once; a failure stays visible and can be tried again under the same client id. */
  async post(channel: string, draft: api.Draft): Promise<void> {
    this.dispatch({ type: "sending", channel, draft: { ...draft, at: new Date().toISOString() } });
    try {
      const message = await api.post(channel, draft);
      this.dispatch({ type: "sent", channel, clientID: draft.client_id, message });
    } catch (error) {
      if (error instanceof Problem && error.status === 404) this.dispatch({ type: "missing", channel });
      else this.dispatch({ type: "failed", channel, clientID: draft.client_id, problem: error instanceof Problem ? error.detail || error.code : "internal" });
    }
  }

  discard(channel: string, clientID: string): void {
    this.dispatch({ type: "discarded", channel, clientID });
  }

  private dispatch(action: Action): void {
    if (this.stopped) return;
    const next = reduce(this.state, action);
    if (next === this.state) return;
    this.state = next;
    this.tell();
    this.follow();
  }

  /** follow carries out what the state asks for: the list again, the events behind a gap, the history of what is looked at. */
  private follow(): void {
    if (this.state.stale) void this.list();
    for (const [id, log] of Object.entries(this.state.logs)) {
      if (log.gap) void this.fill(id);
    }
    const open = this.state.logs[this.state.open];
    if (open?.wanted && !open.gone && !open.loaded) void this.newest(open.channel.id);
    if (open) this.markRead(open.channel.id);
  }

  private list(): Promise<void> {
    return this.once("list", async () => {
      const asked = this.state.tick + 1;
      try {
        const page = await api.channels();
        this.problem = null;
        this.dispatch({ type: "listed", channels: page.items, asked });
      } catch (error) {
        this.problem = error instanceof Problem ? error : new Problem(0, "internal", String(error));
        this.tell();
        throw error;
      }
    });
  }

  private newest(channel: string): Promise<void> {
    return this.once(`newest ${channel}`, async () => {
      const page = await api.messages(channel, { limit: pageSize });
      this.dispatch({ type: "history", channel, messages: page.items, complete: page.items.length < pageSize && !page.next, newest: true });
    }, channel);
  }

  private fill(channel: string): Promise<void> {
    return this.once(`fill ${channel}`, async () => {
      const log = this.state.logs[channel];
      if (!log) return;
      const upTo = Math.max(...log.ahead.map((f) => f.seq ?? 0));
      const found: api.Message[] = [];
      for (let after = log.last; after < upTo; ) {
        const page = await api.messages(channel, { after, limit: 200 });
        found.push(...page.items);
        const last = Math.max(after, ...page.items.map((m) => m.seq));
        if (last === after || page.items.length < 200) break;
        after = last;
      }
      this.dispatch({ type: "filled", channel, messages: found, upTo });
    }, channel);
  }

  /** once does nothing where the same is under way. A 404 of a channel means that it is gone. */
  private async once(key: string, fn: () => Promise<void>, channel = ""): Promise<void> {
    if (this.busy.has(key) || this.stopped) return;
    this.busy.add(key);
    let again = 0;
    try {
      await fn();
    } catch (error) {
      if (channel && error instanceof Problem && error.status === 404) this.dispatch({ type: "missing", channel });
      else again = 3_000;
    } finally {
      this.busy.delete(key);
    }
    if (again) window.setTimeout(() => !this.stopped && this.follow(), again);
    else if (this.state.stale || Object.values(this.state.logs).some((l) => l.gap)) window.setTimeout(() => !this.stopped && this.follow(), 300);
  }

  private makeSnapshot(): Snapshot {
    return { state: this.state, connection: this.connection, problem: this.problem };
  }

  private tell(): void {
    this.snapshot = this.makeSnapshot();
    this.listeners.forEach((fn) => fn());
  }
}

export type Snapshot = { state: State; connection: Connection; problem: Problem | null };
