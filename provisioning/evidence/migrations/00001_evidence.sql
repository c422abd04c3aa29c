-- +goose Up
-- When a freeze was in force everywhere: after the barrier of its call (barrier), at its instant (clock), or found to be so later (late).
create table evidence_fences (
    freeze_id text   not null,
    rev    bigint not null,
    person text   not null,
    at     bigint not null,
    how    text   not null constraint evidence_fences_how check (how in ('barrier', 'clock', 'late')),
    constraint evidence_fences_pk primary key (freeze_id, rev)
);
create index evidence_fences_person on evidence_fences (person, at);

-- The keys that evidence is signed with. Of those that are not retired there is one; sealed is its secret half, for secrets.identity.
create table evidence_keys (
    id         text   not null,
    public     text   not null,
    sealed     text   not null,
    made_by    text   not null,
    created_at bigint not null,
    retired_at bigint,
    constraint evidence_keys_pk primary key (id)
);
create unique index evidence_keys_current on evidence_keys ((1)) where retired_at is null;

-- +goose Down
drop table evidence_keys;
drop table evidence_fences;
