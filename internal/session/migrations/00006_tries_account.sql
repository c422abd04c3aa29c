-- +goose Up
-- Of a login name: whose account it was when it failed last, so that an administrator may forget all of it. Empty: nobody's.
alter table session_tries add column account text not null default '';
create index session_tries_account on session_tries (account) where account <> '';

-- +goose Down
drop index session_tries_account;
alter table session_tries drop column account;
