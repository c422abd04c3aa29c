-- +goose Up
-- The changes of a plan, a thousand to a part: JSON, deflated, as base64.
create table plan_changes (
    plan text    not null,
    n    integer not null,
    body text    not null,
    constraint plan_changes_pk primary key (plan, n),
    constraint plan_changes_plan foreign key (plan) references plans (id)
);

-- +goose Down
drop table plan_changes;
