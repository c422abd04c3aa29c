-- +goose Up
-- Who a subject of an identity provider is here. The key is (issuer, subject), never an e-mail address.
create table session_identities (
    issuer     text   not null,
    subject    text   not null,
    person     text   not null,
    created_at bigint not null,
    constraint session_identities_pk primary key (issuer, subject),
    constraint session_identities_person unique (person)
);

-- How often everything of a person was ended: what was begun under an older number is refused.
create table session_epochs (
    person text   not null,
    epoch  bigint not null,
    constraint session_epochs_pk primary key (person)
);

create table sessions (
    id           text   not null,
    token_hash   text   not null,
    person       text   not null,
    epoch        bigint not null,
    issuer       text   not null,
    subject      text   not null,
    sid          text   not null,
    user_agent   text   not null,
    created_at   bigint not null,
    last_seen_at bigint not null,
    expires_at   bigint not null,
    ended_at     bigint,
    end_cause    text   not null,
    constraint sessions_pk primary key (id),
    constraint sessions_token unique (token_hash)
);
create index sessions_person on sessions (person, ended_at);
create index sessions_subject on sessions (issuer, subject);
create index sessions_sid on sessions (issuer, sid);
create index sessions_expiry on sessions (expires_at);

-- API tokens. Without a person it is an administrator's token, and created_by answers for it.
create table session_tokens (
    id           text    not null,
    token_hash   text    not null,
    person       text    not null,
    epoch        bigint  not null,
    admin        boolean not null,
    name         text    not null,
    created_by   text    not null,
    created_at   bigint  not null,
    last_used_at bigint,
    expires_at   bigint  not null,
    ended_at     bigint,
    end_cause    text    not null,
    constraint session_tokens_pk primary key (id),
    constraint session_tokens_token unique (token_hash)
);
create index session_tokens_person on session_tokens (person, ended_at);
create index session_tokens_maker on session_tokens (created_by, ended_at);

create table session_admins (
    person     text   not null,
    granted_by text   not null,
    granted_at bigint not null,
    constraint session_admins_pk primary key (person)
);

-- Nonces of ID tokens and ids of logout tokens that were used, until they could not be used any more anyway.
create table session_used (
    kind  text   not null,
    value text   not null,
    until bigint not null,
    constraint session_used_pk primary key (kind, value)
);
create index session_used_until on session_used (until);

-- +goose Down
drop table session_used;
drop table session_admins;
drop table session_tokens;
drop table sessions;
drop table session_epochs;
drop table session_identities;
