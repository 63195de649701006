import type pg from 'pg'
import { connect } from '../../db/connect.ts'
import { processIdOf } from '../../db/session/client-internals.ts'
import { type DoctorFinding, type Examination, fine, warning } from './diagnosis.ts'

const remedy =
  'give workers a direct connection: they need sessions and a replication connection, which few ' +
  'poolers pass on; appends and queries may go through it'

/**
 * Finds out whether a pooler stands between us and the server. One that gives a session away between
 * transactions shows by two connections that meet in one process of the server; any other by the
 * process id that it tells at log-in, which is its own invention.
 */
export async function checkPooler({ connectionString }: Examination): Promise<DoctorFinding> {
  const first = await connect({ connectionString, applicationName: 'tidemark doctor' })
  try {
    const second = await connect({ connectionString, applicationName: 'tidemark doctor' })
    try {
      return await judge(first, second)
    } finally {
      await second.end()
    }
  } finally {
    await first.end()
  }
}

async function judge(first: pg.Client, second: pg.Client): Promise<DoctorFinding> {
  const process = await readProcess(first)
  if (await sharesProcess(first, second, process)) {
    const reason = 'a pooler stands between that gives sessions away between transactions'
    return warning('pooler', `${reason}: advisory locks and notifications are lost`, remedy)
  }
  if (processIdOf(first) !== process) {
    return warning('pooler', 'a pooler or proxy stands between client and server', remedy)
  }
  return fine('pooler', 'the connection is direct')
}

/** While the second is in a transaction, the first cannot stay where it was if that is the same. */
async function sharesProcess(
  first: pg.Client,
  second: pg.Client,
  process: number,
): Promise<boolean> {
  await second.query('begin')
  try {
    return (await readProcess(second)) === process || (await readProcess(first)) !== process
  } finally {
    await second.query('rollback')
  }
}

async function readProcess(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid ?? 0
}
