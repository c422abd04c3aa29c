-- +goose Up
-- What a source is the authority for; null: everything. An advisory source was one for everything but employment.
alter table sources add column authority text not null default 'null';
update sources set authority = '["org","job","manager","name","login","contact","region","labels"]' where advisory;
alter table sources drop column advisory;
-- How often priority or authority changed, and up to whom people were merged anew since; null: all.
alter table sources add column config_version bigint not null default 0;
alter table sources add column refresh_from text;

-- What people lost by the word of a source within the last days: an attribute they had (was: a digest of it), a unit, their place in a
-- directory group (was: its id). cleared: nothing came in its place. A row goes where the person has it back.
create table fact_losses (
    source_id text    not null,
    field     text    not null,
    was       text    not null,
    person_id text    not null,
    cleared   boolean not null,
    at        bigint  not null,
    constraint fact_losses_pk primary key (source_id, field, was, person_id)
);
create index fact_losses_by_person on fact_losses (person_id);
create index fact_losses_by_was on fact_losses (field, was);
create index fact_losses_at on fact_losses (at);

-- By which call, or run of a source, a freeze came.
alter table freezes add column request text not null default '';
create index freezes_request on freezes (request) where request <> '';

-- +goose Down
drop index freezes_request;
alter table freezes drop column request;
drop table fact_losses;
alter table sources drop column refresh_from;
alter table sources drop column config_version;
alter table sources add column advisory boolean not null default false;
update sources set advisory = true where authority <> 'null' and authority not like '%"employment"%';
alter table sources drop column authority;
