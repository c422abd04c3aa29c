-- +goose Up
create table policy_versions (
    version    bigint not null,
    hash       text   not null,
    files      text   not null,
    author     text   not null,
    plan       text   not null,
    applied_at bigint not null,
    constraint policy_versions_pk primary key (version)
);

-- The version in force, and the newest one under which everybody has been reconciled.
create table policy_state (
    id      integer not null constraint policy_state_one check (id = 1),
    version bigint  not null,
    settled bigint  not null,
    constraint policy_state_pk primary key (id)
);
insert into policy_state (id, version, settled) values (1, 0, 0);

create table plans (
    id         text   not null,
    hash       text   not null,
    basis      text   not null,
    body       text   not null,
    files      text   not null,
    author     text   not null,
    state      text   not null constraint plans_state check (state in ('open', 'applied')),
    created_at bigint not null,
    applied_at bigint,
    constraint plans_pk primary key (id)
);

create table project_groups (
    id          text   not null,
    key         text   not null,
    names       text   not null,
    created_at  bigint not null,
    archived_at bigint,
    constraint project_groups_pk primary key (id),
    constraint project_groups_key unique (key)
);

create table channels (
    id          text   not null,
    kind        text   not null constraint channels_kind check (kind in ('project', 'direct', 'adhoc')),
    group_id    text,
    key         text   not null,
    names       text   not null,
    labels      text   not null,
    access      text   not null,
    history     text   not null,
    created_at  bigint not null,
    archived_at bigint,
    constraint channels_pk primary key (id),
    constraint channels_group foreign key (group_id) references project_groups (id),
    constraint channels_home check ((kind = 'project') = (group_id is not null))
);
create unique index channels_key on channels (group_id, key) where kind = 'project';
create unique index channels_pair on channels (key) where kind = 'direct';

-- Who is in a direct or ad-hoc channel.
create table channel_people (
    channel   text   not null,
    person    text   not null,
    joined_at bigint not null,
    constraint channel_people_pk primary key (person, channel),
    constraint channel_people_channel foreign key (channel) references channels (id)
);
create index channel_people_by_channel on channel_people (channel);

create table memberships (
    id        text   not null,
    person    text   not null,
    group_id  text   not null,
    role      text   not null constraint memberships_role check (role in ('owner', 'participant', 'collaborator', 'vendor')),
    since     bigint not null,
    ended_at  bigint,
    end_cause text   not null,
    constraint memberships_pk primary key (id),
    constraint memberships_group foreign key (group_id) references project_groups (id)
);
create unique index memberships_current on memberships (person, group_id) where ended_at is null;
create index memberships_by_group on memberships (group_id, role, person) where ended_at is null;
create index memberships_past on memberships (person, ended_at);

create table reasons (
    id             text   not null,
    membership     text   not null,
    kind           text   not null constraint reasons_kind check (kind in ('rule', 'grant', 'approval', 'join', 'keep')),
    ref            text   not null,
    role           text   not null,
    policy_version bigint not null,
    starts_at      bigint,
    until          bigint,
    created_at     bigint not null,
    ended_at       bigint,
    constraint reasons_pk primary key (id),
    constraint reasons_membership foreign key (membership) references memberships (id)
);
create unique index reasons_current on reasons (membership, kind, ref, role) where ended_at is null;
create index reasons_due on reasons (until) where ended_at is null and until is not null;

create table holds (
    id         text    not null,
    cause      text    not null,
    source     text    not null,
    group_id   text    not null,
    breach     text    not null,
    state      text    not null constraint holds_state check (state in ('open', 'released', 'rejected', 'vanished')),
    created_at bigint  not null,
    closed_at  bigint,
    closed_by  text    not null,
    constraint holds_pk primary key (id)
);
create unique index holds_open on holds (cause, source, group_id) where state = 'open';

-- One removal that a hold stopped.
create table held_removals (
    hold       text   not null,
    membership text   not null,
    person     text   not null,
    group_id   text   not null,
    cause      text   not null,
    created_at bigint not null,
    ended_at   bigint,
    constraint held_removals_pk primary key (hold, membership, created_at),
    constraint held_removals_hold foreign key (hold) references holds (id),
    constraint held_removals_membership foreign key (membership) references memberships (id)
);
create unique index held_removals_open on held_removals (membership) where ended_at is null;
create index held_removals_person on held_removals (person) where ended_at is null;

-- What the guard counts: removals that nobody confirmed.
create table removals (
    membership text   not null,
    person     text   not null,
    group_id   text   not null,
    cause      text   not null,
    source     text   not null,
    at         bigint not null,
    constraint removals_pk primary key (membership),
    constraint removals_membership foreign key (membership) references memberships (id)
);
create index removals_at on removals (at);

-- Locked by whoever is about to remove, so that two batches cannot both fit into one window.
create table guard_state (
    id integer not null constraint guard_state_one check (id = 1),
    constraint guard_state_pk primary key (id)
);
insert into guard_state (id) values (1);

-- The freezes that stand as tuples.
create table fences (
    person text   not null,
    slot   text   not null,
    freeze_id text not null,
    at     bigint not null,
    constraint fences_pk primary key (person, slot)
);

-- People whose last reconciliation failed; they are tried again.
create table failures (
    person   text    not null,
    error    text    not null,
    since    bigint  not null,
    attempts integer not null,
    constraint failures_pk primary key (person)
);

-- +goose Down
drop table failures;
drop table fences;
drop table guard_state;
drop table removals;
drop table held_removals;
drop table holds;
drop table reasons;
drop table memberships;
drop table channel_people;
drop table channels;
drop table project_groups;
drop table plans;
drop table policy_state;
drop table policy_versions;
