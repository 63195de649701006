import { Command } from 'commander'
import type { MigrateResult } from '../../worker/migrate.ts'
import { explainServerError } from '../explain-server-error.ts'
import { oneLine } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget } from '../target.ts'

/** `tidemark migrate`: installs a log, or brings it to this release. */
export function migrateCommand(host: Host): Command {
  return new Command('migrate')
    .description('install the log in the database, or bring it to this release')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const { connectionString, schema, config } = await resolveTarget(options, host)
      const { jobSchema } = config
      const { migrate } = await import('../../worker/migrate.ts')
      const work = migrate({
        connectionString,
        ...(schema === undefined ? {} : { schema }),
        ...(jobSchema === undefined ? {} : { jobSchema }),
      })
      const result = await explainServerError(connectionString, work)
      printResult(host, options, result, migrateText)
      if (options.json === true) return
      for (const warning of result.warnings) host.stderr.write(`warning: ${oneLine(warning)}\n`)
    })
}

/** Says what the migrations did, for people. Warnings go elsewhere. */
export function migrateText(result: MigrateResult): string {
  const { migrations, objects, grantees, incarnation } = result
  const done = [
    ...migrations.map((name) => `applied ${name}`),
    ...(objects.length === 0 ? [] : [`installed ${objects.length} functions, triggers and views`]),
    ...grantees.map((grantee) => `changed the privileges of ${grantee}`),
    ...(incarnation === null
      ? []
      : [
          `began incarnation ${incarnation}: the log came from elsewhere, and takes appends from now on`,
        ]),
  ]
  return done.length === 0 ? 'nothing to do: the log is up to date' : done.join('\n')
}
