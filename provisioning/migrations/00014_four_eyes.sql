-- +goose Up
-- Who stands behind a plan (a person, where one is known), and how many people lose a membership by it.
alter table plans add column behind text not null default '';

-- That somebody else found a plan right.
create table plan_approvals (
    plan     text   not null,
    approver text   not null,
    at       bigint not null,
    constraint plan_approvals_pk primary key (plan, approver),
    constraint plan_approvals_plan foreign key (plan) references plans (id)
);

-- A plan that is to be applied at an instant: by whoever looks first once that has come.
create table plan_schedules (
    plan       text    not null,
    at         bigint  not null,
    hash       text    not null,
    confirm    boolean not null,
    actor      text    not null,
    behind     text    not null,
    created_at bigint  not null,
    state      text    not null constraint plan_schedules_state check (state in ('waiting', 'applied', 'refused', 'cancelled')),
    ended_at   bigint,
    problem    text    not null,
    constraint plan_schedules_pk primary key (plan),
    constraint plan_schedules_plan foreign key (plan) references plans (id)
);
create index plan_schedules_due on plan_schedules (at) where state = 'waiting';

-- +goose Down
drop table plan_schedules;
drop table plan_approvals;
alter table plans drop column behind;
