import { readFile } from 'node:fs/promises'
import type pg from 'pg'

/** What the server says in its log each time. */
const said = /LOG: +ledger-inserted (kill|stall)/g

/**
 * Installs the failpoint that no client can reach: the ledger has the rows and is about to commit them.
 * A trigger, deferred to just before the commit, ends its own backend or sleeps there, with the chances
 * that a table gives. Off at first.
 */
export async function installLedgerFailpoint(client: pg.ClientBase): Promise<void> {
  await client.query(/* sql */ `
    create table faults.ledger_inserted (kill float8 not null, stall float8 not null);
    insert into faults.ledger_inserted values (0, 0);

    create function faults.reach_ledger_inserted() returns trigger language plpgsql as $$
    declare
      v_chances faults.ledger_inserted;
      v_drawn float8 := random();
    begin
      -- Once for all rows of a transaction.
      if current_setting('faults.is_drawn', true) = 'yes' then
        return null;
      end if;
      perform set_config('faults.is_drawn', 'yes', true);
      select * into v_chances from faults.ledger_inserted;
      if v_drawn < v_chances.kill then
        raise log 'ledger-inserted kill';
        perform pg_terminate_backend(pg_backend_pid());
        perform pg_sleep(1);
      elsif v_drawn < v_chances.kill + v_chances.stall then
        raise log 'ledger-inserted stall';
        perform pg_sleep(random());
      end if;
      return null;
    end
    $$;

    create constraint trigger reach_ledger_inserted
      after insert on tidemark.commits
      deferrable initially deferred
      for each row execute function faults.reach_ledger_inserted();`)
}

/** Sets how likely each write of the ledger ends its backend, or sleeps for up to a second. */
export async function setLedgerFailpoint(
  client: Pick<pg.Pool, 'query'>,
  chances: { readonly kill: number; readonly stall: number },
): Promise<void> {
  const { kill, stall } = chances
  await client.query('update faults.ledger_inserted set kill = $1, stall = $2', [kill, stall])
}

/** Counts, in the server's log, how often it was reached. Exact, whatever was rolled back. */
export async function countLedgerFailpoint(logFile: string): Promise<readonly string[]> {
  const log = await readFile(logFile, 'utf8')
  return [...log.matchAll(said)].map(([, act]) => `ledger-inserted ${act}`)
}
