// What the page knows of its channels, as a pure function of what happened: stream frames, answers, own doings.
// Invariant: of each channel every event with seq ≤ last is known. A duplicate (seq ≤ last) changes nothing; what comes
// after a gap (seq > last + 1) waits in `ahead` until the gap was read from the server. A channel that is gone holds
// nothing any more, and only a list asked for after that moment can bring it back.
import type { Channel, Draft, Message } from "../api/chat";

export type Pending = Draft & { at: string; failed?: string };

export type Frame = {
  op: string;
  channel?: string;
  seq?: number;
  last_seq?: number;
  person_seq?: number;
  read?: { seq?: number };
  type?: string;
  at?: string;
  message?: Message;
  code?: string;
  detail?: string;
  [more: string]: unknown;
};

export type ChannelLog = {
  channel: Channel;
  last: number;
  wanted: boolean; // somebody looked at it: messages are kept
  loaded: boolean; // the newest page of its history was read
  complete: boolean; // there is nothing earlier to read
  messages: Message[]; // by seq, each id once
  pending: Pending[]; // sent by this page, not yet seen from the server
  ahead: Frame[]; // events beyond a gap, waiting
  gap: boolean; // the server must be asked for what follows `last`
  unread: number;
  read: number;
  mark: number; // what had been read when it was opened; Infinity where everything had
  restart: boolean; // too much was missed: it begins anew with the next list
  gone: number; // 0, or the tick at which access ended
};

export type State = {
  self: string;
  tick: number; // counts the channels' endings, to order them against lists under way
  personSeq: number | null; // null: nothing known of the person's own log yet
  early: Frame[]; // events of channels that are not in the list yet
  listed: boolean;
  stale: boolean; // the list of channels must be asked for again
  open: string; // the channel that is looked at; empty where none is
  hidden: boolean; // the page is in the background: nobody sees what comes
  logs: Record<string, ChannelLog>;
};

export type Action =
  | { type: "listed"; channels: Channel[]; asked: number }
  | { type: "opened"; channel: string }
  | { type: "history"; channel: string; messages: Message[]; complete: boolean; newest: boolean }
  | { type: "filled"; channel: string; messages: Message[]; upTo: number }
  | { type: "frame"; frame: Frame }
  | { type: "sending"; channel: string; draft: Pending }
  | { type: "sent"; channel: string; clientID: string; message?: Message }
  | { type: "failed"; channel: string; clientID: string; problem: string }
  | { type: "discarded"; channel: string; clientID: string }
  | { type: "read"; channel: string; seq: number }
  | { type: "connected" }
  | { type: "missing"; channel: string }
  | { type: "hidden"; hidden: boolean };

export const initial = (self: string): State => ({ self, tick: 0, personSeq: null, early: [], listed: false, stale: false, open: "", hidden: false, logs: {} });

const earlyAtMost = 500;

const fresh = (channel: Channel): ChannelLog => ({
  channel,
  last: channel.last_seq ?? 0,
  wanted: false,
  loaded: false,
  complete: false,
  messages: [],
  pending: [],
  ahead: [],
  gap: false,
  unread: channel.unread ?? 0,
  read: channel.read_seq ?? 0,
  mark: Infinity,
  restart: false,
  gone: 0,
});

/** cursors answers what a resume asks from: per channel the last event that is known. */
export function cursors(state: State): Record<string, number> {
  const all: Record<string, number> = {};
  for (const [id, log] of Object.entries(state.logs)) {
    if (!log.gone) all[id] = log.last;
  }
  return all;
}

/** merge puts messages into a list that is ordered by seq and holds each id once. A later one of the same id wins. */
export function merge(have: Message[], more: Message[]): Message[] {
  if (more.length === 0) return have;
  const byID = new Map(have.map((m) => [m.id, m]));
  for (const m of more) byID.set(m.id, { ...byID.get(m.id), ...m });
  return [...byID.values()].sort((a, b) => a.seq - b.seq);
}

/** reduce answers the state after an action. It never changes the state it was given. */
export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "listed":
      return listed(state, action.channels, action.asked);
    case "frame":
      return frame(state, action.frame);
    case "opened":
      return opened(state, action.channel);
    case "history":
      return change(state, action.channel, (log) => ({
        ...log,
        loaded: log.loaded || action.newest,
        complete: action.complete,
        messages: merge(log.messages, action.messages),
        pending: unsent(log.pending, action.messages),
      }));
    case "filled":
      return change(state, action.channel, (log) => filled(log, action.messages, action.upTo));
    case "sending":
      return change(state, action.channel, (log) => ({
        ...log,
        pending: [...log.pending.filter((p) => p.client_id !== action.draft.client_id), action.draft],
      }));
    case "sent":
      return change(state, action.channel, (log) => sent(log, action.clientID, action.message));
    case "failed":
      return change(state, action.channel, (log) => ({
        ...log,
        pending: log.pending.map((p) => (p.client_id === action.clientID ? { ...p, failed: action.problem } : p)),
      }));
    case "discarded":
      return change(state, action.channel, (log) => ({ ...log, pending: log.pending.filter((p) => p.client_id !== action.clientID) }));
    case "read":
      return change(state, action.channel, (log) => seen(log, action.seq));
    case "connected":
      return connected(state);
    case "missing":
      return gone(state, action.channel);
    case "hidden":
      return state.hidden === action.hidden ? state : { ...state, hidden: action.hidden };
  }
}

function change(state: State, id: string, fn: (log: ChannelLog) => ChannelLog): State {
  const log = state.logs[id];
  if (!log || log.gone) return state;
  const next = fn(log);
  return next === log ? state : { ...state, logs: { ...state.logs, [id]: next } };
}

function opened(state: State, id: string): State {
  if (state.open === id && state.logs[id]?.wanted !== false) return state;
  return { ...change(state, id, look), open: id };
}

const look = (log: ChannelLog): ChannelLog => ({ ...log, wanted: true, mark: log.unread > 0 ? log.read : Infinity });

function listed(state: State, channels: Channel[], asked: number): State {
  const logs: Record<string, ChannelLog> = {};
  for (const channel of channels) {
    const log = state.logs[channel.id];
    if (log?.gone && log.gone >= asked) {
      logs[channel.id] = log; // the list is older than the ending
    } else if (!log || log.gone) {
      logs[channel.id] = fresh(channel);
    } else if (log.restart) {
      logs[channel.id] = restart(log, channel);
    } else {
      logs[channel.id] = { ...log, channel: { ...log.channel, ...channel }, unread: Math.min(log.unread, channel.unread ?? log.unread) };
    }
  }
  for (const [id, log] of Object.entries(state.logs)) {
    // What was opened and is no longer listed says so honestly; the rest just leaves the list.
    if (!logs[id] && (log.gone || log.wanted)) logs[id] = log.gone ? log : ended(log, state.tick + 1);
  }
  const looked = logs[state.open];
  if (looked && !looked.gone && !looked.wanted) logs[state.open] = look(looked);
  const next: State = { ...state, tick: state.tick + 1, listed: true, stale: false, early: [], logs };
  return state.early.filter((f) => f.channel && known(next, f.channel)).reduce(event, next);
}

/** restart begins a channel's log anew at what the list says, and keeps what is not yet sent. */
const restart = (log: ChannelLog, channel: Channel): ChannelLog => ({ ...fresh(channel), wanted: log.wanted, mark: log.mark, pending: log.pending });

const ended = (log: ChannelLog, tick: number): ChannelLog => ({
  ...fresh({ id: log.channel.id, key: log.channel.key, name: log.channel.name, group: log.channel.group }),
  wanted: log.wanted,
  gone: tick,
});

function gone(state: State, id: string): State {
  const log = state.logs[id];
  if (!log || log.gone) return state;
  const tick = state.tick + 1;
  return { ...state, tick, logs: { ...state.logs, [id]: ended(log, tick) } };
}

function frame(state: State, f: Frame): State {
  switch (f.op) {
    case "event":
      return f.person_seq === undefined ? event(state, f) : personal(state, f, f.person_seq);
    case "channel.gone":
      return f.channel ? gone(state, f.channel) : state;
    case "reset": {
      if (!f.channel) return { ...state, personSeq: f.person_seq ?? state.personSeq, stale: true };
      const next = change(state, f.channel, (log) => ({ ...log, restart: true, gap: false, ahead: [] }));
      return { ...next, stale: true };
    }
    case "resumed":
      // What happened to the list between reading it and the first connection is in no log that was asked for.
      return { ...state, personSeq: f.person_seq ?? state.personSeq, stale: state.stale || state.personSeq === null };
  }
  return state;
}

/** personal takes an event of the person's own log: joined, left, read on another device. */
function personal(state: State, f: Frame, seq: number): State {
  if (state.personSeq !== null && seq <= state.personSeq) return state;
  const next = { ...state, personSeq: seq };
  switch (f.type) {
    case "channel.joined":
      return { ...next, stale: true };
    case "channel.left":
      return f.channel ? gone(next, f.channel) : next;
    case "read.moved": {
      const upTo = f.read?.seq ?? 0;
      return f.channel ? { ...change(next, f.channel, (log) => seen(log, upTo)), stale: next.stale || upTo < (next.logs[f.channel]?.last ?? 0) } : next;
    }
  }
  return next;
}

/** seen moves the read cursor, never back. How much is unread behind it only the server can count. */
const seen = (log: ChannelLog, seq: number): ChannelLog =>
  seq <= log.read && log.unread === 0 ? log : { ...log, read: Math.max(log.read, seq), unread: seq >= log.last ? 0 : log.unread };

const known = (state: State, id: string) => {
  const log = state.logs[id];
  return !!log && !log.gone;
};

function event(state: State, f: Frame): State {
  const { channel, seq } = f;
  if (!channel || seq === undefined) return state; // typing, presence: nothing to remember
  if (!known(state, channel)) return { ...state, stale: true, early: [...state.early.slice(-earlyAtMost), f] };
  return change(state, channel, (log) => {
    if (seq <= log.last) return log;
    if (seq > log.last + 1) return { ...log, gap: true, ahead: log.ahead.some((a) => a.seq === seq) ? log.ahead : [...log.ahead, f] };
    return drain(apply(log, f, state));
  });
}

function apply(log: ChannelLog, f: Frame, state?: State): ChannelLog {
  const next = { ...log, last: Math.max(log.last, f.seq ?? 0) };
  const message = f.message;
  if (f.type === "message.deleted") {
    const id = message?.id ?? f["message_id"];
    return { ...next, messages: log.messages.filter((m) => m.id !== id) };
  }
  if (!message) return next;
  const whole = { ...message, channel: log.channel.id, seq: message.seq ?? f.seq ?? 0, at: message.at ?? f.at };
  if (log.wanted) next.messages = merge(log.messages, [whole]);
  next.pending = unsent(log.pending, [message]);
  const noticed = state && ((state.open === log.channel.id && !state.hidden) || message.author?.id === state.self);
  if (f.type === "message.created" && !noticed) next.unread = log.unread + 1;
  return next;
}

/** drain applies what waited behind a gap that is closed now. */
function drain(log: ChannelLog): ChannelLog {
  let next = log;
  for (const f of [...log.ahead].sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0))) {
    if (f.seq === next.last + 1) next = apply(next, f);
  }
  const ahead = next.ahead.filter((f) => (f.seq ?? 0) > next.last);
  return ahead.length === next.ahead.length ? next : { ...next, ahead, gap: ahead.length > 0 };
}

/** filled closes a gap: messages are all that lie between `last` and upTo, so whatever is not there was no message. */
function filled(log: ChannelLog, messages: Message[], upTo: number): ChannelLog {
  const before = log.last;
  let next: ChannelLog = {
    ...log,
    last: Math.max(log.last, upTo, ...messages.map((m) => m.seq)),
    messages: log.wanted ? merge(log.messages, messages) : log.messages,
    pending: unsent(log.pending, messages),
    unread: log.unread + messages.filter((m) => m.seq > before).length,
  };
  for (const f of [...log.ahead].sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0))) {
    if ((f.seq ?? 0) <= next.last) next = { ...apply(next, f), unread: next.unread };
  }
  next = { ...next, gap: false, ahead: next.ahead.filter((f) => (f.seq ?? 0) > next.last) };
  next = drain(next);
  return { ...next, gap: next.ahead.length > 0 };
}

function sent(log: ChannelLog, clientID: string, message: Message | undefined): ChannelLog {
  const pending = log.pending.filter((p) => p.client_id !== clientID);
  if (!message?.id) return { ...log, pending: log.pending };
  return { ...log, pending, messages: log.wanted ? merge(log.messages, [{ ...message, channel: log.channel.id }]) : log.messages };
}

function unsent(pending: Pending[], arrived: Message[]): Pending[] {
  if (pending.length === 0) return pending;
  const done = new Set(arrived.map((m) => m.client_id).filter(Boolean));
  const left = pending.filter((p) => !done.has(p.client_id));
  return left.length === pending.length ? pending : left;
}

/** connected forgets what waited behind gaps: the resume that follows sends everything after the cursors. */
function connected(state: State): State {
  const logs: Record<string, ChannelLog> = {};
  for (const [id, log] of Object.entries(state.logs)) logs[id] = log.gap ? { ...log, gap: false, ahead: [] } : log;
  return { ...state, logs };
}
