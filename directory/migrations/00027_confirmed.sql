-- +goose Up
-- Until when somebody found right what a person lost: the guard counts what came since.
create table confirmed_losses (
    person_id text   not null,
    at        bigint not null,
    constraint confirmed_losses_pk primary key (person_id)
);
-- The userName that an entry shows and another record of its source has, which keeps it.
alter table records add column claims text not null default '';

-- +goose Down
alter table records drop column claims;
drop table confirmed_losses;
