import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { parse } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultSchema, type LogNames } from './log-names.ts'
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

/** What is in `sql/`, by its path below, in the order in which it is applied. */
interface Manifest {
  readonly objects: readonly string[]
  readonly privileges: readonly string[]
}

async function readManifest(): Promise<Manifest> {
  return JSON.parse(await readFile(new URL('manifest.json', sqlDirectory), 'utf8')) as Manifest
}

/** Reads the replaceable objects in install order, written for the given schema. */
export async function readSqlObjects(schema: string): Promise<readonly SqlObject[]> {
  const { objects } = await readManifest()
  return Promise.all(objects.map((name) => readSqlObject(name, schema)))
}

/** Revokes and grants what a grantee is to have, whatever it has now. */
export interface SqlPrivileges {
  /** Path below `sql/`. */
  readonly name: string
  /** One of the log's roles, or `public`. */
  readonly grantee: string
  readonly text: string
}

/** Reads the privileges on a log, written for its schema and its roles. */
export async function readSqlPrivileges(names: LogNames): Promise<readonly SqlPrivileges[]> {
  const { privileges } = await readManifest()
  const grantees: Readonly<Record<string, string>> = { public: 'public', ...names.roles }
  return Promise.all(
    privileges.map(async (name) => {
      const source = await readFile(new URL(name, sqlDirectory), 'utf8')
      const grantee = grantees[parse(name).name]
      if (grantee === undefined) throw new Error(`"${name}" is named like no role of a log`)
      return { name, grantee, text: forLog(source, names) }
    }),
  )
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

/** Rewrites grants, which name the schema alone, and roles. */
function forLog(text: string, { schema, roles }: LogNames): string {
  const kinds = Object.keys(roles).join('|')
  return text.replaceAll(new RegExp(`\\b${defaultSchema}(?=\\b|_(?:${kinds})\\b)`, 'g'), schema)
}

/** Rewrites SQL that is written for the default schema. */
export function forSchema(text: string, schema: string): string {
  return text.replaceAll(new RegExp(`\\b${defaultSchema}\\.`, 'g'), `${schema}.`)
}
