-- +goose Up
-- Proofs that ended: the sessions and tokens whose streams every node has to cut, each at its place in the order of revisions.
create table authz_endings (
    seq   bigint  not null,
    n     integer not null,
    proof text    not null,
    constraint authz_endings_pk primary key (seq, n)
);

-- The nodes of a deployment, and until when each may answer.
create table authz_nodes (
    node       text   not null,
    run        text   not null,
    version    text   not null,
    revision   bigint not null,
    joined_at  bigint not null,
    expires_at bigint not null,
    constraint authz_nodes_pk primary key (node)
);

-- +goose Down
drop table authz_nodes;
drop table authz_endings;
