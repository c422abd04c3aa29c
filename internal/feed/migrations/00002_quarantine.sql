-- +goose Up
create table feed_quarantine (
    follower text   not null,
    seq      bigint not null, -- of the event
    subject  text   not null,
    person   text   not null, -- whom it is about; '': nobody
    attempts bigint not null,
    problem  text   not null, -- of the last attempt; '': it waits behind an earlier one of its subject
    since    bigint not null,
    retry_at bigint not null,
    done     bigint not null, -- 1: it has been handled, and is about to be forgotten
    closed   bigint not null, -- 1: the person is denied everything until it is handled
    constraint feed_quarantine_pk primary key (follower, seq)
);
create index feed_quarantine_subject on feed_quarantine (follower, subject);
create index feed_quarantine_person on feed_quarantine (person);

-- +goose Down
drop table feed_quarantine;
