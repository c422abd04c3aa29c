-- +goose Up
-- What a record said of somebody under a veto or in quarantine and says no more: a number or a userName, as it is and as it looks.
create table kept_values (
    link  text   not null,
    hint  text   not null,
    value text   not null,
    at    bigint not null,
    constraint kept_values_pk primary key (link, hint, value)
);
create index kept_values_value on kept_values (hint, value);
-- How a value looks was read otherwise: all records are looked at again.
delete from record_looks;

-- +goose Down
drop table kept_values;
