import type { Names } from "../i18n/types";
import { call, list, path } from "./client";

export type Channel = {
  id: string;
  key?: string;
  name?: Names | string;
  group?: { id: string; key?: string; name?: Names | string } | null;
  labels?: string[];
  role?: string;
  until?: string;
  can_post?: boolean;
  unread?: number;
  last_seq?: number;
  read_seq?: number;
};

export type MessageKind = "text" | "code";

export type Message = {
  id: string;
  channel: string;
  seq: number;
  kind?: MessageKind;
  text?: string;
  language?: string;
  html?: string;
  author?: { id: string; name?: string } | null;
  client_id?: string;
  at?: string;
  erased?: boolean;
};

export type Draft = { client_id: string; kind: MessageKind; text: string; language?: string };

export const channels = (signal?: AbortSignal) => list<Channel>("/channels", { query: { limit: 200 }, signal });
export const messages = (channel: string, query: { before?: number; after?: number; limit?: number }, signal?: AbortSignal) =>
  list<Message>(path`/channels/${channel}/messages`, { query, signal });
export const post = (channel: string, draft: Draft) => call<Message | undefined>("POST", path`/channels/${channel}/messages`, { body: draft });
export const markRead = (channel: string, seq: number) => call<unknown>("POST", path`/channels/${channel}/read`, { body: { seq } });
