-- +goose Up
-- Why a plan was made, in the words of who made it, and the version it goes back to.
create table plan_reasons (
    plan    text   not null,
    reason  text   not null,
    version bigint not null,
    constraint plan_reasons_pk primary key (plan)
);
