-- +goose Up
-- What each plan that was applied took from people, for two days: JSON, deflated, as base64. The guard counts with the next plan what nobody confirmed, and
-- four eyes what nobody else approved.
create table plan_losses (
    plan      text    not null,
    at        bigint  not null,
    confirmed boolean not null,
    approved  boolean not null,
    body      text    not null,
    constraint plan_losses_pk primary key (plan)
);
create index plan_losses_at on plan_losses (at);

-- +goose Down
drop table plan_losses;
