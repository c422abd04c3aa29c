-- +goose Up
-- A reason may be a handover period: the table is made anew, because only so its kinds can be changed on both engines.
create table reasons_next (
    id             text   not null,
    membership     text   not null,
    kind           text   not null constraint reasons_kind check (kind in ('rule', 'grant', 'approval', 'join', 'keep', 'handover')),
    ref            text   not null,
    role           text   not null,
    policy_version bigint not null,
    starts_at      bigint,
    until          bigint,
    created_at     bigint not null,
    ended_at       bigint,
    ended_by       text   not null default '',
    constraint reasons_key primary key (id),
    constraint reasons_membership foreign key (membership) references memberships (id)
);
insert into reasons_next (id, membership, kind, ref, role, policy_version, starts_at, until, created_at, ended_at, ended_by)
    select id, membership, kind, ref, role, policy_version, starts_at, until, created_at, ended_at, ended_by from reasons;
drop table reasons;
alter table reasons_next rename to reasons;
create unique index reasons_current on reasons (membership, kind, ref, role) where ended_at is null;
create index reasons_due on reasons (until) where ended_at is null and until is not null;
create index reasons_ended_by on reasons (ended_by) where ended_by <> '';
create index reasons_owner on reasons (membership, ended_at) where role = 'owner';
create index reasons_handover on reasons (ref, membership) where kind = 'handover' and ended_at is null;

-- +goose Down
delete from reasons where kind = 'handover';
drop index reasons_handover;
