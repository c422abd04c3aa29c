-- +goose Up
-- Security event tokens that were acted on, so that one delivered again does nothing.
create table signals_taken (
    transmitter text   not null,
    jti         text   not null,
    at          bigint not null,
    constraint signals_taken_pk primary key (transmitter, jti)
);
create index signals_taken_at on signals_taken (at);

-- When the last word about an account was issued, by the transmitter's clock: words may arrive in another order.
create table signals_accounts (
    transmitter text   not null,
    person      text   not null,
    issued_at   bigint not null,
    constraint signals_accounts_pk primary key (transmitter, person)
);

-- +goose Down
drop table signals_accounts;
drop table signals_taken;
