import { beforeAll, describe, expect, test } from 'vitest'
import { advisoryLockKey } from '../../src/db/log-names.ts'
import { readSqlObjects } from '../../src/db/sql-files.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { dumpLog, expectWorking, migrateOnce } from './installed-log.ts'

const database = useDatabase({ template: false })

/** What a run that nothing happened to makes. */
let whole = ''

beforeAll(async () => {
  await migrateOnce(database.connectionString, 'log_uncut')
  whole = await dumpLog(database.pool, 'log_uncut')
})

describe('a run that was cut off', () => {
  test('between migrations and objects is completed by the next one', async () => {
    const { pool, connectionString } = database
    await migrateOnce(connectionString, 'log_between')
    await pool.query(/* sql */ `
      do $$
      declare
        v_function regprocedure;
      begin
        drop view log_between.log, log_between.streams;
        loop
          -- One at a time: others may go with it.
          select min(oid::oid) into v_function
          from pg_proc where pronamespace = 'log_between'::regnamespace;
          exit when v_function is null;
          execute format('drop function %s cascade', v_function);
        end loop;
        drop publication log_between_log;
        delete from log_between.sql_objects;
      end $$`)

    const result = await migrateOnce(connectionString, 'log_between')
    expect(result.migrations).toEqual([])
    expect(result.objects).toEqual((await readSqlObjects('log_between')).map(({ name }) => name))
    expect(await dumpLog(pool, 'log_between')).toBe(whole)
    await expectWorking(pool, 'log_between')
  })

  // The server ends the session in the middle of the first statement of a kind.
  test.each([
    'create schema',
    'create table',
    'create type',
    'create function',
    'create trigger',
    'create view',
    'create publication',
  ])('at "%s" is completed by the next one', async (statement) => {
    const { pool, connectionString } = database
    const schema = `cut_at_${statement.replace(' ', '_')}`
    await pool.query(/* sql */ `
      create function public.cut_off() returns event_trigger language plpgsql
        as 'begin perform pg_terminate_backend(pg_backend_pid(), 5000); end';
      create event trigger cut_off on ddl_command_end when tag in ('${statement}')
        execute function public.cut_off()`)
    await expect(migrateOnce(connectionString, schema)).rejects.toThrow()
    await pool.query('drop event trigger cut_off; drop function public.cut_off')

    await migrateOnce(connectionString, schema)
    expect(await dumpLog(pool, schema)).toBe(whole)
    const again = await migrateOnce(connectionString, schema)
    expect(again).toMatchObject({ migrations: [], objects: [] })
    await expectWorking(pool, schema)
  })

  test('leaves its lock to the one that waits for it', async () => {
    const { pool, connectionString } = database
    const holder = await database.client()
    await holder.query(/* sql */ `
      select pg_advisory_lock(4711);
      create function public.hold_up() returns event_trigger language plpgsql
        as 'begin perform pg_advisory_lock(4711); end';
      create event trigger hold_up on ddl_command_end when tag in ('create schema')
        execute function public.hold_up()`)
    const first = expect(migrateOnce(connectionString, 'log_waited')).rejects.toThrow()
    const { pid } = await until('the first run to be held up', () => findWaiting(4711n))
    const second = migrateOnce(connectionString, 'log_waited')
    const key = advisoryLockKey('log_waited', 'migrate')
    expect(await until('the second run to wait', () => findWaiting(key))).toEqual({
      pid: expect.any(Number),
      blockers: [pid],
    })

    await pool.query('select pg_terminate_backend($1, 5000)', [pid])
    await first
    await holder.query('drop event trigger hold_up; select pg_advisory_unlock(4711)')
    await holder.end()
    expect((await second).migrations.length).toBeGreaterThan(0)
    expect(await dumpLog(pool, 'log_waited')).toBe(whole)
  })
})

/** Finds the session that waits for an advisory lock, and those that it waits for. */
async function findWaiting(key: bigint) {
  const { rows } = await database.pool.query<{ pid: number; blockers: number[] }>(
    /* sql */ `
      select pid, pg_blocking_pids(pid) as blockers
      from pg_locks
      where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())
        and (classid::bigint << 32 | objid::bigint) = $1
        and not granted`,
    [key],
  )
  return rows[0]
}
