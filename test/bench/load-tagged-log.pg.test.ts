import { expect, test } from 'vitest'
import { loadTaggedLog } from '../../bench/load-tagged-log.ts'
import { useDatabase } from '../support/database.ts'

const database = useDatabase()

test('loads exactly as many events as it is to, each with its tag, in streams without holes', async () => {
  const { connectionString, pool } = database
  await loadTaggedLog(
    {
      serverUrl: connectionString,
      seconds: 1,
      runs: 1,
      events: 1,
      taggedEvents: 1,
      largeEvents: 1,
      signal: new AbortController().signal,
      say: () => {},
    },
    {
      connectionString,
      execute: async (sql) => {
        await pool.query(sql)
      },
      settle: async () => {},
      [Symbol.asyncDispose]: async () => {},
    },
    2_501,
  )
  const { rows } = await pool.query(/* sql */ `
    select e.stream_id, count(*)::integer as events, max(e.version)::integer as version,
      count(t.tag)::integer as tags
    from tidemark.events as e
    left join tidemark.event_tags as t
      on (t.incarnation, t.transaction_id, t.insert_id)
        = (e.incarnation, e.transaction_id, e.insert_id)
      and t.tag = 'account:' || (e.data ->> 'account')
      and array[t.tag::text] = e.tags
    group by e.stream_id
    order by e.stream_id`)
  expect(rows).toEqual([
    { stream_id: 'loaded-0', events: 1_250, version: 1_250, tags: 1_250 },
    { stream_id: 'loaded-1', events: 1_251, version: 1_251, tags: 1_251 },
  ])
})
