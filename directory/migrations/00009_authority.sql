-- +goose Up
-- What a source is the authority for; null: everything. An advisory source was one for everything but employment.
alter table sources add column authority text not null default 'null';
update sources set authority = '["org","job","manager","name","login","contact","region","labels"]' where advisory;
alter table sources drop column advisory;
-- How often priority or authority changed, and up to whom people were merged anew since; null: all.
alter table sources add column config_version bigint not null default 0;
alter table sources add column refresh_from text;

-- +goose Down
alter table sources drop column refresh_from;
alter table sources drop column config_version;
alter table sources add column advisory boolean not null default false;
update sources set advisory = true where authority <> 'null' and authority not like '%"employment"%';
alter table sources drop column authority;
