/** Of rows of `pg_locks`, which knows the whole server's, those of the database that is asked. */
export const ofThisDatabase = /* sql */ `
  database = (select oid from pg_database where datname = current_database())`
