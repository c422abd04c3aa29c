-- +goose Up
-- A link that lets a guest in, once. Its secret is kept as a hash only: it is made when the link is shown or sent, and again when it has to be sent again. due_at is when it is sent, or tried again:
-- these rows are what is still to be sent.
create table guest_links (
    id       text    not null,
    guest    text    not null,
    way      text    not null constraint guest_links_way check (way in ('mail', 'copied', 'sign_in')),
    hash     text    not null,
    browser  text    not null,
    code     text    not null,
    tries    integer not null,
    made_by  text    not null,
    made_at  bigint  not null,
    until_at bigint  not null,
    due_at   bigint,
    sent_at  bigint,
    failed   text    not null,
    used_at  bigint,
    ended_at bigint,
    constraint guest_links_pk primary key (id),
    constraint guest_links_guest foreign key (guest) references guests (id)
);
create index guest_links_of on guest_links (guest, made_at);
create index guest_links_hash on guest_links (hash);
create index guest_links_browser on guest_links (browser);
create index guest_links_due on guest_links (due_at) where due_at is not null;

-- A browser that showed a link, on its way in: it waits until the sponsor confirms its code, or has proved the address by the link.
create table guest_arrivals (
    id        text    not null,
    guest     text    not null,
    link      text    not null,
    browser   text    not null,
    code      text    not null,
    tries     integer not null,
    made_at   bigint  not null,
    until_at  bigint  not null,
    proved_at bigint,
    proved_by text    not null,
    entered_at bigint,
    ended_at  bigint,
    constraint guest_arrivals_pk primary key (id),
    constraint guest_arrivals_browser unique (browser),
    constraint guest_arrivals_guest foreign key (guest) references guests (id)
);
create index guest_arrivals_of on guest_arrivals (guest, made_at);

-- +goose Down
drop table guest_arrivals;
drop table guest_links;
