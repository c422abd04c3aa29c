-- +goose Up
-- Until when somebody found right what a person lost: the guard counts what came since.
create table confirmed_losses (
    person_id text   not null,
    at        bigint not null,
    constraint confirmed_losses_pk primary key (person_id)
);

-- +goose Down
drop table confirmed_losses;
