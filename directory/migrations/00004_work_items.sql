-- +goose Up
-- Into whom a human being merged a person; empty: nobody. rehired_at: since when this is a new employment of somebody who had left.
alter table persons add column merged_into text not null default '';
alter table persons add column rehired_at bigint;
create index persons_merged on persons (merged_into) where merged_into <> '';

-- Two people who may be one: for a human being to decide. A pair has one row for ever, so that nobody is asked twice.
create table work_items (
    id         text   not null,
    kind       text   not null constraint work_items_kind check (kind in ('possible_rehire', 'same_user_name', 'ambiguous_match')),
    newer      text   not null,
    older      text   not null,
    source_id  text   not null,
    link       text   not null,
    hint       text   not null,
    hints      text   not null,
    state      text   not null constraint work_items_state check (state in ('open', 'linked', 'separated', 'vanished')),
    kept       text   not null,
    moved      text   not null,
    created_at bigint not null,
    closed_at  bigint,
    closed_by  text   not null,
    constraint work_items_pk primary key (id),
    constraint work_items_pair unique (newer, older),
    constraint work_items_newer foreign key (newer) references persons (id),
    constraint work_items_older foreign key (older) references persons (id)
);
create index work_items_by_older on work_items (older);
create index work_items_open on work_items (source_id, hint, id) where state = 'open';
create index work_items_closed on work_items (state, id);

create index records_by_user_name on records (user_name_fold);

-- +goose Down
drop index records_by_user_name;
drop table work_items;
drop index persons_merged;
alter table persons drop column rehired_at;
alter table persons drop column merged_into;
