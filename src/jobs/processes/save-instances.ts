import { stateOfInstance } from '../../core/processes/instance.ts'
import { processStreamPrefix } from '../../core/processes/process-events.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import type { Answered } from './process-jobs.ts'

/** Writes down how instances are doing, for whoever lists and counts them. Their streams say it in full. */
export async function saveInstances(
  connection: Connection,
  names: LogNames,
  process: { readonly name: string },
  answered: readonly Answered[],
): Promise<void> {
  const prefix = processStreamPrefix(process)
  const last = new Map(answered.map((one) => [one.streamId.slice(prefix.length), one]))
  const rows = [...last]
  await run(connection, {
    name: `tidemark-save-instances-${names.schema}`,
    text: /* sql */ `
      insert into ${names.schema}.process_instances as i
        (process, id, state, reason, position, begun_at, changed_at)
      select $1, n.id, n.state, n.reason, n.position, n.changed_at, n.changed_at
      from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[])
        as n (id, state, reason, position, changed_at)
      on conflict (process, id) do update
      set
        state = excluded.state,
        reason = excluded.reason,
        position = excluded.position,
        changed_at = excluded.changed_at`,
    values: [
      process.name,
      rows.map(([id]) => id),
      rows.map(([, { instance }]) => stateOfInstance(instance)),
      rows.map(([, { instance }]) => instance.reason),
      rows.map(([, { event }]) => event.position.toString()),
      rows.map(([, { event }]) => event.recordedAt),
    ],
  })
}
