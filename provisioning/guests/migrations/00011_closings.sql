-- +goose Up
-- That a project group was closed, by which plan. done_at: what guests had there is over, too.
create table project_closings (
    id          text   not null,
    group_id    text   not null,
    plan        text   not null,
    made_by     text   not null,
    at          bigint not null,
    done_at     bigint,
    reopened_at bigint,
    constraint project_closings_pk primary key (id)
);
create unique index project_closings_open on project_closings (group_id) where reopened_at is null;

-- Who owned it then, and where they worked; and from when on they could read which of its channels.
create table project_closing_owners (
    closing text not null,
    person  text not null,
    placed  text not null,
    constraint project_closing_owners_pk primary key (closing, person),
    constraint project_closing_owners_closing foreign key (closing) references project_closings (id)
);
create index project_closing_owners_by_person on project_closing_owners (person);

create table project_closing_reads (
    closing text   not null,
    person  text   not null,
    channel text   not null,
    from_at bigint,
    constraint project_closing_reads_pk primary key (closing, person, channel),
    constraint project_closing_reads_owner foreign key (closing, person) references project_closing_owners (closing, person)
);

-- +goose Down
drop table project_closing_reads;
drop table project_closing_owners;
drop table project_closings;
