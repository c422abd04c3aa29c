import type { UseQueryResult } from "@tanstack/react-query";
import { Button, Table, type TableColumnsType } from "antd";
import { useLocation } from "wouter";
import { useTexts } from "../i18n";
import { Empty, Failure } from "../ui/states";
import styles from "./admin.module.css";

/** Paged is a list that the server answers page by page; a row leads to its own page. cursors are of the pages before this one and this one. */
export function Paged<Row extends { id: string }>({ found, columns, path, empty, cursors, setCursors }: { found: UseQueryResult<{ items: Row[]; next?: string }>; columns: TableColumnsType<Row>; path: string; empty: { title: string; hint: string }; cursors: string[]; setCursors: (cursors: string[]) => void }) {
  const { t } = useTexts();
  const [, go] = useLocation();
  const next = found.data?.next;
  return (
    <>
      {found.error && !found.data ? (
        <Failure error={found.error} retry={() => void found.refetch()} />
      ) : (
        <Table<Row>
          rowKey="id"
          columns={columns}
          dataSource={found.data?.items ?? []}
          loading={found.isPending || found.isPlaceholderData}
          pagination={false}
          rowClassName={styles.tableRow}
          onRow={(row) => ({ onClick: (e) => !(e.target instanceof HTMLAnchorElement) && go(`${path}/${row.id}`) })}
          locale={{ emptyText: found.isPending ? " " : <Empty {...empty} /> }}
        />
      )}
      {(cursors.length > 0 || next) && (
        <div className={styles.pager}>
          <Button disabled={cursors.length === 0} onClick={() => setCursors(cursors.slice(0, -1))}>
            {t.shell.previous}
          </Button>
          <Button disabled={!next || found.isPlaceholderData} onClick={() => next && setCursors([...cursors, next])}>
            {t.shell.next}
          </Button>
        </div>
      )}
    </>
  );
}

/** chosen is what stands in the address with one choice made, or taken back where there is no value. */
export function chosen(old: URLSearchParams, name: string, value: string | undefined): URLSearchParams {
  const next = new URLSearchParams(old);
  if (value) next.set(name, value);
  else next.delete(name);
  return next;
}
