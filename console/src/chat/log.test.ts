import { describe, expect, it } from "vitest";
import type { Channel, Message } from "../api/chat";
import { cursors, initial, merge, reduce, type Action, type Frame, type State } from "./log";

const channel = (id: string, more: Partial<Channel> = {}): Channel => ({ id, name: { en: id }, last_seq: 10, unread: 0, read_seq: 10, can_post: true, ...more });
const message = (seq: number, more: Partial<Message> = {}): Message => ({ id: `msg_${seq}`, channel: "a", seq, kind: "text", text: `text ${seq}`, author: { id: "per_other" }, at: "2026-01-01T00:00:00Z", ...more });
const created = (seq: number, more: Partial<Message> = {}, on = "a"): Frame => ({ op: "event", channel: on, seq, type: "message.created", message: { ...message(seq, more), channel: on } });

const run = (state: State, ...actions: Action[]) => actions.reduce(reduce, state);
const frames = (state: State, ...all: Frame[]) => run(state, ...all.map((frame): Action => ({ type: "frame", frame })));
const start = () =>
  run(initial("per_me"), { type: "listed", channels: [channel("a"), channel("b", { last_seq: 3, unread: 2, read_seq: 1 })], asked: 0 }, { type: "opened", channel: "a" }, { type: "history", channel: "a", messages: [message(9), message(10)], complete: false, newest: true });
const seqs = (state: State, id = "a") => state.logs[id]?.messages.map((m) => m.seq);

describe("the stream of a channel", () => {
  it("applies events in order and moves the cursor", () => {
    const state = frames(start(), created(11), created(12));
    expect(seqs(state)).toEqual([9, 10, 11, 12]);
    expect(cursors(state)).toEqual({ a: 12, b: 3 });
  });

  it("drops duplicates without any change", () => {
    const state = frames(start(), created(11));
    expect(frames(state, created(11))).toBe(state);
    expect(frames(state, created(4))).toBe(state);
  });

  it("holds what comes after a gap back until the gap was read", () => {
    const gap = frames(start(), created(13), created(14), created(13));
    expect(seqs(gap)).toEqual([9, 10]);
    expect(gap.logs["a"]).toMatchObject({ last: 10, gap: true });
    expect(gap.logs["a"]?.ahead).toHaveLength(2);
    const closed = run(gap, { type: "filled", channel: "a", messages: [message(11), message(12), message(13)], upTo: 13 });
    expect(seqs(closed)).toEqual([9, 10, 11, 12, 13, 14]);
    expect(closed.logs["a"]).toMatchObject({ last: 14, gap: false, ahead: [] });
  });

  it("closes a gap over events that were no messages", () => {
    const closed = run(frames(start(), created(13)), { type: "filled", channel: "a", messages: [message(11)], upTo: 13 });
    expect(closed.logs["a"]).toMatchObject({ last: 13, gap: false });
    expect(seqs(closed)).toEqual([9, 10, 11, 13]);
  });

  it("closes a gap by itself where the missing event comes late", () => {
    const state = frames(start(), created(12), created(11));
    expect(seqs(state)).toEqual([9, 10, 11, 12]);
    expect(state.logs["a"]).toMatchObject({ last: 12, gap: false });
  });

  it("asks from the cursors after a reconnect, not from behind a gap", () => {
    const state = run(frames(start(), created(13)), { type: "connected" });
    expect(cursors(state)).toEqual({ a: 10, b: 3 });
    expect(state.logs["a"]).toMatchObject({ gap: false, ahead: [] });
    expect(seqs(frames(state, created(11), created(12), created(13)))).toEqual([9, 10, 11, 12, 13]);
  });

  it("moves the cursor over events of kinds it does not know", () => {
    const state = frames(start(), { op: "event", channel: "a", seq: 11, type: "reaction.added" }, created(12));
    expect(seqs(state)).toEqual([9, 10, 12]);
  });

  it("does not remember events without a place in the order", () => {
    const state = start();
    expect(frames(state, { op: "event", channel: "a", type: "typing" })).toBe(state);
  });

  it("replaces an edited message and removes a deleted one", () => {
    const state = frames(start(), { ...created(11), type: "message.edited", message: { ...message(10), text: "new" } }, { op: "event", channel: "a", seq: 12, type: "message.deleted", message: message(9) });
    expect(state.logs["a"]?.messages.map((m) => m.text)).toEqual(["new"]);
    expect(state.logs["a"]?.messages[0]?.seq).toBe(10);
  });

  it("keeps messages that come while the history is being read", () => {
    let state = run(initial("per_me"), { type: "listed", channels: [channel("a")], asked: 0 }, { type: "opened", channel: "a" });
    state = frames(state, created(11));
    state = run(state, { type: "history", channel: "a", messages: [message(10), message(9)], complete: true, newest: true });
    expect(seqs(state)).toEqual([9, 10, 11]);
  });
});

describe("a channel that is gone", () => {
  const over = () => run(frames(run(start(), { type: "sending", channel: "a", draft: { client_id: "c1", kind: "text", text: "x", at: "" } }), { op: "channel.gone", channel: "a" }));

  it("holds nothing any more and takes nothing in", () => {
    const state = over();
    expect(state.logs["a"]).toMatchObject({ messages: [], pending: [], ahead: [] });
    expect(state.logs["a"]?.gone).toBeGreaterThan(0);
    expect(cursors(state)).toEqual({ b: 3 });
    expect(seqs(run(state, { type: "history", channel: "a", messages: [message(9)], complete: true, newest: true }))).toEqual([]);
    expect(seqs(run(state, { type: "filled", channel: "a", messages: [message(11)], upTo: 11 }))).toEqual([]);
    expect(seqs(run(state, { type: "sent", channel: "a", clientID: "c1", message: message(11) }))).toEqual([]);
    expect(seqs(frames(state, created(11)))).toEqual([]);
  });

  it("is not brought back by a list that was asked for before", () => {
    const before = start().tick;
    const state = run(over(), { type: "listed", channels: [channel("a"), channel("b")], asked: before });
    expect(state.logs["a"]?.gone).toBeGreaterThan(0);
  });

  it("comes back with a list that was asked for after", () => {
    const ended = over();
    const state = run(ended, { type: "listed", channels: [channel("a", { last_seq: 20 }), channel("b")], asked: ended.tick + 1 });
    expect(state.logs["a"]).toMatchObject({ gone: 0, last: 20, messages: [] });
  });

  it("is recognised by its absence from the list, where it was looked at", () => {
    const state = run(start(), { type: "listed", channels: [], asked: 99 });
    expect(state.logs["a"]?.gone).toBeGreaterThan(0);
    expect(state.logs["a"]?.messages).toEqual([]);
    expect(state.logs["b"]).toBeUndefined();
  });
});

describe("sending", () => {
  const draft = { client_id: "c1", kind: "text" as const, text: "hello", at: "2026-01-01T00:00:00Z" };

  it("shows a message once, whether the answer or the event comes first", () => {
    const sending = run(start(), { type: "sending", channel: "a", draft });
    expect(sending.logs["a"]?.pending).toHaveLength(1);
    const mine = message(11, { client_id: "c1", author: { id: "per_me" } });
    const answered: Action = { type: "sent", channel: "a", clientID: "c1", message: mine };
    const arrived: Action = { type: "frame", frame: created(11, mine) };
    for (const order of [[answered, arrived], [arrived, answered]]) {
      const state = run(sending, ...order);
      expect(state.logs["a"]?.pending).toEqual([]);
      expect(seqs(state)).toEqual([9, 10, 11]);
      expect(state.logs["a"]?.last).toBe(11);
    }
  });

  it("does not move the cursor by its own answer: what others wrote before it still comes", () => {
    const state = run(start(), { type: "sending", channel: "a", draft }, { type: "sent", channel: "a", clientID: "c1", message: message(12, { client_id: "c1" }) });
    expect(state.logs["a"]?.last).toBe(10);
    expect(seqs(frames(state, created(11), created(12)))).toEqual([9, 10, 11, 12]);
  });

  it("keeps what failed, to be tried again under the same id", () => {
    const failed = run(start(), { type: "sending", channel: "a", draft }, { type: "failed", channel: "a", clientID: "c1", problem: "offline" });
    expect(failed.logs["a"]?.pending[0]?.failed).toBe("offline");
    const again = run(failed, { type: "sending", channel: "a", draft });
    expect(again.logs["a"]?.pending).toHaveLength(1);
    expect(again.logs["a"]?.pending[0]?.failed).toBeUndefined();
    expect(run(again, { type: "discarded", channel: "a", clientID: "c1" }).logs["a"]?.pending).toEqual([]);
  });
});

describe("unread counts", () => {
  it("count what others write where nobody looks", () => {
    const state = frames(start(), created(4, {}, "b"), created(5, { author: { id: "per_me" } }, "b"), created(11));
    expect(state.logs["b"]?.unread).toBe(3);
    expect(state.logs["a"]?.unread).toBe(0);
    expect(state.logs["b"]?.messages).toEqual([]);
  });

  it("end with reading, and never go back", () => {
    const state = run(frames(start(), created(4, {}, "b")), { type: "read", channel: "b", seq: 4 });
    expect(state.logs["b"]).toMatchObject({ unread: 0, read: 4 });
    expect(run(state, { type: "read", channel: "b", seq: 2 })).toBe(state);
  });
});

describe("the list of channels", () => {
  it("is asked for again when something new appears, or the server resets", () => {
    expect(frames(start(), created(1, {}, "new")).stale).toBe(true);
    expect(frames(start(), { op: "reset" }).stale).toBe(true);
    expect(frames(start(), created(11)).stale).toBe(false);
  });

  it("begins a channel anew after a reset and keeps what is not yet sent", () => {
    let state = run(start(), { type: "sending", channel: "a", draft: { client_id: "c1", kind: "text", text: "x", at: "" } });
    state = frames(state, { op: "reset", channel: "a", seq: 900 });
    state = run(state, { type: "listed", channels: [channel("a", { last_seq: 900 }), channel("b", { last_seq: 4 })], asked: state.tick + 1 });
    expect(state.logs["b"]?.last).toBe(3); // not reset: what it lacks still comes
    expect(state.logs["a"]).toMatchObject({ last: 900, loaded: false, wanted: true, messages: [] });
    expect(state.logs["a"]?.pending).toHaveLength(1);
  });

  it("keeps what comes of a channel before the list names it", () => {
    let state = frames(start(), created(5, {}, "new"), created(6, {}, "new"), created(1, {}, "other"));
    state = run(state, { type: "listed", channels: [channel("a"), channel("new", { last_seq: 4 })], asked: state.tick + 1 });
    expect(state.logs["new"]).toMatchObject({ last: 6, unread: 2, gap: false });
    expect(state.logs["other"]).toBeUndefined();
    expect(state).toMatchObject({ stale: false, early: [] });
  });
});

describe("the person's own log", () => {
  it("is not asked for from its beginning, and makes the first list sure", () => {
    expect(start().personSeq).toBeNull();
    const first = frames(start(), { op: "resumed", person_seq: 6 });
    expect(first).toMatchObject({ personSeq: 6, stale: true });
    expect(frames({ ...first, stale: false }, { op: "resumed", person_seq: 6 }).stale).toBe(false);
  });

  it("tells of channels joined and left, each event once", () => {
    const at = frames(start(), { op: "resumed", person_seq: 6 });
    const left = frames({ ...at, stale: false }, { op: "event", person_seq: 7, type: "channel.left", channel: "a" });
    expect(left.logs["a"]?.gone).toBeGreaterThan(0);
    expect(frames(left, { op: "event", person_seq: 7, type: "channel.joined", channel: "b" })).toBe(left);
    expect(frames(left, { op: "event", person_seq: 8, type: "channel.joined", channel: "c" })).toMatchObject({ personSeq: 8, stale: true });
    expect(frames(left, { op: "event", person_seq: 8, type: "hidden" })).toMatchObject({ personSeq: 8, stale: false });
  });

  it("tells what was read on another device", () => {
    const state = frames(start(), created(4, {}, "b"), { op: "event", person_seq: 1, type: "read.moved", channel: "b", read: { seq: 4 } });
    expect(state.logs["b"]).toMatchObject({ unread: 0, read: 4, last: 4 });
    expect(frames(state, created(5, {}, "b"), created(6, {}, "b"), { op: "event", person_seq: 2, type: "read.moved", channel: "b", read: { seq: 5 } }).stale).toBe(true);
  });
});

describe("merge", () => {
  it("orders by seq and holds each id once", () => {
    expect(merge([message(2)], [message(1), message(2, { text: "later" }), message(3)]).map((m) => `${m.seq}${m.text === "later" ? "!" : ""}`)).toEqual(["1", "2!", "3"]);
  });
});

describe("the line before what is new", () => {
  it("stands where reading had ended when the channel was opened", () => {
    const listed: Action = { type: "listed", channels: [channel("a", { unread: 2, read_seq: 8 }), channel("b", { read_seq: 10 })], asked: 1 };
    expect(run(initial("per_me"), listed, { type: "opened", channel: "a" }, { type: "read", channel: "a", seq: 10 }).logs["a"]?.mark).toBe(8);
    expect(run(initial("per_me"), { type: "opened", channel: "a" }, listed, { type: "read", channel: "a", seq: 10 }).logs["a"]?.mark).toBe(8);
    expect(run(initial("per_me"), listed, { type: "opened", channel: "b" }).logs["b"]?.mark).toBe(Infinity);
  });

  it("counts as unread what comes while the page is hidden", () => {
    expect(frames(run(start(), { type: "hidden", hidden: true }), created(11)).logs["a"]?.unread).toBe(1);
  });
});
