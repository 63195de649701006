/**
 * The events of a log that have no position yet: a row for each, without columns. Looks at those alone that may
 * have none.
 *
 * @param schema of the log. Within a query that has the sequencer's row as `q`.
 */
export function unsequencedEvents(schema: string): string {
  return /* sql */ `
    select
    from ${schema}.events as e
    where (e.incarnation, e.transaction_id) >= (q.low_incarnation, q.low_xid)
      and not exists (
        select
        from ${schema}.commits as c
        where c.incarnation = e.incarnation
          and c.transaction_id = e.transaction_id
      )`
}

/** The same of the messages of the outbox. */
export function unsequencedMessages(schema: string): string {
  return /* sql */ `
    select
    from ${schema}.outbox as o
    where (o.incarnation, o.transaction_id) >= (q.low_incarnation, q.low_xid)
      and not exists (
        select
        from ${schema}.outbox_commits as c
        where c.incarnation = o.incarnation
          and c.transaction_id = o.transaction_id
      )`
}
