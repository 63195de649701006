import { randomBytes } from 'node:crypto'
import { chmod, chown, cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type pg from 'pg'
import { onTestFinished } from 'vitest'
import { type EmbeddedPostgres, embeddedSettings } from '../../../src/testing/embedded-postgres.ts'
import { findFreePort } from '../../../src/testing/free-port.ts'
import {
  createPostgresDirectory,
  removePostgresDirectory,
} from '../../../src/testing/postgres-directory.ts'
import { exitsWithin, startPostgresProcess } from '../../../src/testing/postgres-process.ts'
import { chooseServerAccount, type ServerAccount } from '../../../src/testing/server-account.ts'
import { queryOnce, withClient } from '../query-once.ts'
import { until } from '../until.ts'
import { findBinariesOf } from './chosen-postgres.ts'
import { readServerVersion } from './server-version.ts'

export interface StandbyOptions {
  /** Port at which the standby finds its primary, if that is not the primary's own. */
  readonly primaryPort?: number
  /** As the primary has them, and what is the standby's own. */
  readonly settings?: Readonly<Record<string, string>>
  /** Whether the replication slots of the primary are copied with its files. Default false. */
  readonly copySlots?: boolean
}

/** A physical standby of a server. */
export interface Standby {
  readonly connectionString: string
  readonly port: number
  /** Makes it a primary, and waits until it is one. */
  promote(): Promise<void>
}

/**
 * Starts a physical standby, with no more than the server's own program: its files are copied between
 * the two functions of a base backup. It has a physical slot on the primary, and ends with the test.
 */
export async function startStandby(
  primary: EmbeddedPostgres,
  options: StandbyOptions = {},
): Promise<Standby> {
  const { postgres } = await findBinariesOf()
  const account = await chooseServerAccount()
  const directory = await createPostgresDirectory(account)
  onTestFinished(() => removePostgresDirectory(directory))
  const slot = `standby_${randomBytes(4).toString('hex')}`
  await queryOnce(
    primary.connectionString,
    'select pg_create_physical_replication_slot($1, true)',
    [slot],
  )
  await withClient(primary.connectionString, (client) =>
    copyFiles(client, primary.dataDirectory, directory.data, options.copySlots === true),
  )
  await giveTree(account, directory.data)
  const version = await readServerVersion(primary.connectionString)
  const port = await findFreePort()
  const server = await startPostgresProcess({
    postgres,
    account,
    dataDirectory: directory.data,
    logFile: directory.logFile,
    startTimeoutMs: 30_000,
    settings: {
      ...embeddedSettings,
      fsync: 'off',
      ...options.settings,
      primary_conninfo: connectionInfo(primary, options.primaryPort, version),
      primary_slot_name: slot,
      hot_standby_feedback: 'on',
      wal_retrieve_retry_interval: '200ms',
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: '',
    },
  })
  onTestFinished(async () => {
    server.kill('SIGQUIT')
    await exitsWithin(server, 10_000)
  })
  const url = new URL(primary.connectionString)
  url.port = String(port)
  return {
    connectionString: url.href,
    port,
    promote: () => queryOnce(url.href, 'select pg_promote()').then(() => {}),
  }
}

/** Waits until a standby has replayed all that its primary has written. */
export async function untilReplayed(primary: pg.Pool, standby: Standby): Promise<void> {
  const { rows } = await primary.query('select pg_current_wal_insert_lsn()::text as lsn')
  const sql = 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as done'
  await until(`the standby to have replayed ${rows[0].lsn}`, async () => {
    const [row] = await queryOnce<{ done: boolean }>(standby.connectionString, sql, [rows[0].lsn])
    return row?.done === true
  })
}

async function copyFiles(
  client: pg.Client,
  from: string,
  to: string,
  withSlots: boolean,
): Promise<void> {
  const { rows } = await client.query(
    "select current_setting('server_version_num')::integer >= 150000 as new",
  )
  const [start, stop] = rows[0].new
    ? ["pg_backup_start('standby', true)", 'pg_backup_stop(false)']
    : ["pg_start_backup('standby', true, false)", 'pg_stop_backup(false, false)']
  await client.query(`select ${start}`)
  const left = [
    'postmaster.pid',
    'postmaster.opts',
    'pg_wal',
    ...(withSlots ? [] : ['pg_replslot']),
  ]
  await cp(from, to, {
    recursive: true,
    filter: (file) => !left.includes(relative(from, file)),
  })
  for (const folder of ['pg_wal', 'pg_replslot']) await mkdir(join(to, folder), { recursive: true })
  const { rows: label } = await client.query(`select labelfile from ${stop}`)
  await writeFile(join(to, 'backup_label'), label[0].labelfile)
  await writeFile(join(to, 'standby.signal'), '')
  await chmod(to, 0o700)
}

function connectionInfo(
  primary: EmbeddedPostgres,
  port: number | undefined,
  version: number,
): string {
  const { username, password } = new URL(primary.connectionString)
  // Only who synchronises slots, from version 17 on, uses a database.
  const database = version >= 170_000 ? ' dbname=postgres' : ''
  return `host=127.0.0.1 port=${port ?? primary.port} user=${username} password=${password}${database}`
}

async function giveTree({ uid, gid }: ServerAccount, path: string): Promise<void> {
  if (uid === undefined || gid === undefined) return
  await chown(path, uid, gid)
  for (const entry of await readdir(path, { recursive: true })) {
    await chown(join(path, entry), uid, gid)
  }
}
