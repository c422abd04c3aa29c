-- +goose Up
-- scope: what a token may do, read or write. temporary: of a connection test, counted and listed nowhere.
alter table source_tokens add column scope text not null default 'write';
alter table source_tokens add column temporary boolean not null default false;

-- +goose Down
alter table source_tokens drop column temporary;
alter table source_tokens drop column scope;
