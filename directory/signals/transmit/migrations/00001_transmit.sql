-- +goose Up
-- Who is told, and by which stream; stream is empty where there is none yet. token_hash is SHA-256 of the receiver's token, sealed what it wants to see in
-- Authorization, for secrets.identity. seq and issued_at are of the last event that was put into the queue.
create table transmit_receivers (
    name          text    not null,
    audience      text    not null,
    subject       text    not null constraint transmit_receivers_subject check (subject in ('email', 'iss_sub', 'opaque', 'external_id')),
    issuer        text    not null,
    source        text    not null,
    peer          text    not null,
    endpoints     text    not null,
    token_hash    text    not null,
    made_by       text    not null,
    created_at    bigint  not null,
    stream        text    not null,
    method        text    not null,
    endpoint      text    not null,
    sealed        text    not null,
    requested     text    not null,
    description   text    not null,
    status        text    not null constraint transmit_receivers_status check (status in ('enabled', 'paused', 'disabled')),
    reason        text    not null,
    begun         integer not null,
    seq           bigint  not null,
    issued_at     bigint  not null,
    verified_at   bigint,
    failures      bigint  not null,
    problem       text    not null,
    problem_since bigint,
    retry_at      bigint,
    delivered     bigint  not null,
    delivered_at  bigint,
    refused       bigint  not null,
    constraint transmit_receivers_pk primary key (name)
);
create unique index transmit_receivers_stream on transmit_receivers (stream) where stream <> '';
create unique index transmit_receivers_token on transmit_receivers (token_hash);

-- What a stream was told of people last; who is not here was told nothing and had access. behind is the instant of what is not looked at yet, 0 where
-- everything is; revoked that their sessions ended since; unnamed that the stream has no name for them, and was not told what became of them.
create table transmit_told (
    stream   text    not null,
    person   text    not null,
    standing text    not null constraint transmit_told_standing check (standing in ('', 'enabled', 'disabled', 'purged')),
    revoked  integer not null,
    unnamed  integer not null,
    behind   bigint  not null,
    constraint transmit_told_pk primary key (stream, person)
);
create index transmit_told_behind on transmit_told (stream, behind) where behind > 0;

-- Events that no receiver has acknowledged yet. claims is the token without its signature.
create table transmit_queue (
    stream     text    not null,
    seq        bigint  not null,
    jti        text    not null,
    person     text    not null,
    event      text    not null,
    claims     text    not null,
    created_at bigint  not null,
    refusals   integer not null,
    constraint transmit_queue_pk primary key (stream, seq)
);
create unique index transmit_queue_jti on transmit_queue (stream, jti);

-- The keys that events are signed with: with the latest one whose signs_from has come. sealed is the secret half, for secrets.identity.
create table transmit_keys (
    id         text   not null,
    public     text   not null,
    sealed     text   not null,
    made_by    text   not null,
    created_at bigint not null,
    signs_from bigint not null,
    gone_at    bigint,
    constraint transmit_keys_pk primary key (id)
);

-- +goose Down
drop table transmit_keys;
drop table transmit_queue;
drop table transmit_told;
drop table transmit_receivers;
