import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { parse } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultSchema } from './log-names.ts'
import { quoteIdent } from './quote-ident.ts'

/** The current text of one function, trigger or view. */
export interface SqlObject {
  /** Path below `sql/`, which is also its name in `sql_objects`. */
  readonly name: string
  readonly text: string
  readonly hash: string
}

/** Folder of the migration files, in a checkout and in the published package alike. */
export const migrationsDirectory = fileURLToPath(new URL('../../migrations', import.meta.url))

const sqlDirectory = new URL('../../sql/', import.meta.url)

/** Reads the replaceable objects in install order, written for the given schema. */
export async function readSqlObjects(schema: string): Promise<readonly SqlObject[]> {
  const manifest: unknown = JSON.parse(
    await readFile(new URL('manifest.json', sqlDirectory), 'utf8'),
  )
  const names = (manifest as { objects: readonly string[] }).objects
  return Promise.all(names.map((name) => readSqlObject(name, schema)))
}

async function readSqlObject(name: string, schema: string): Promise<SqlObject> {
  const source = forSchema(await readFile(new URL(name, sqlDirectory), 'utf8'), schema)
  const text = `${source}\n${commentStatement(name, source, schema)}`
  return { name, text, hash: createHash('sha256').update(text).digest('hex') }
}

/** Makes what stands at the head of a function's file the comment that psql shows on it. */
function commentStatement(name: string, source: string, schema: string): string {
  const { dir, name: object } = parse(name)
  if (dir !== 'functions') return ''
  const end = source.search(/^(?!--)/m)
  const comment = source.slice(0, end).replaceAll(/^-- ?/gm, '').trim()
  return `comment on function ${schema}.${quoteIdent(object)} is '${comment.replaceAll("'", "''")}';`
}

/** Rewrites SQL that is written for the default schema. */
export function forSchema(text: string, schema: string): string {
  return text.replaceAll(new RegExp(`\\b${defaultSchema}\\.`, 'g'), `${schema}.`)
}
