-- +goose Up
-- One row per channel that ever had an event: the counters that its transactions lock and move.
create table chat_channels (
    channel  text   not null,
    seq      bigint not null,
    messages bigint not null,
    at       bigint not null,
    constraint chat_channels_pk primary key (channel)
);

create table chat_messages (
    id        text   not null,
    channel   text   not null,
    seq       bigint not null,
    author    text   not null,
    client_id text   not null,
    kind      text   not null,
    body      text   not null,
    language  text   not null,
    html      text   not null,
    rev       bigint not null,
    at        bigint not null,
    constraint chat_messages_pk primary key (id),
    constraint chat_messages_place unique (channel, seq),
    constraint chat_messages_once unique (channel, author, client_id),
    constraint chat_messages_channel foreign key (channel) references chat_channels (channel)
);

-- The log of a channel. ordinal is the number of messages up to and with this event.
create table chat_events (
    channel text   not null,
    seq     bigint not null,
    type    text   not null,
    subject text   not null,
    ordinal bigint not null,
    rev     bigint not null,
    at      bigint not null,
    constraint chat_events_pk primary key (channel, seq),
    constraint chat_events_channel foreign key (channel) references chat_channels (channel)
);
create index chat_events_member on chat_events (channel, subject, seq) where type in ('member.joined', 'member.left');

create table chat_reads (
    person  text   not null,
    channel text   not null,
    seq     bigint not null,
    at      bigint not null,
    constraint chat_reads_pk primary key (person, channel)
);

create table chat_people (
    person text   not null,
    seq    bigint not null,
    constraint chat_people_pk primary key (person)
);

-- The log of a person, for all of his devices.
create table chat_person_events (
    person  text   not null,
    seq     bigint not null,
    type    text   not null,
    channel text   not null,
    value   bigint not null,
    at      bigint not null,
    constraint chat_person_events_pk primary key (person, seq),
    constraint chat_person_events_person foreign key (person) references chat_people (person)
);

create table chat_tickets (
    hash       text   not null,
    person     text   not null,
    session    text   not null,
    token      text   not null,
    expires_at bigint not null,
    constraint chat_tickets_pk primary key (hash)
);
create index chat_tickets_expiry on chat_tickets (expires_at);

-- +goose Down
drop table chat_tickets;
drop table chat_person_events;
drop table chat_people;
drop table chat_reads;
drop table chat_events;
drop table chat_messages;
drop table chat_channels;
