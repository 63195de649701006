import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { auditCommand } from './commands/audit.ts'
import { captureCommand } from './commands/capture.ts'
import { checkpointCommand } from './commands/checkpoint.ts'
import { diffCommand } from './commands/diff.ts'
import { doctorCommand } from './commands/doctor.ts'
import { dropCommand } from './commands/drop.ts'
import { dropSlotsCommand } from './commands/drop-slots.ts'
import { initCommand } from './commands/init.ts'
import { migrateCommand } from './commands/migrate.ts'
import { modeCommand } from './commands/mode.ts'
import { parkedCommand } from './commands/parked.ts'
import { processCommand } from './commands/process.ts'
import { promoteCommand } from './commands/promote.ts'
import { queryCommand } from './commands/query.ts'
import { rebuildCommand } from './commands/rebuild.ts'
import { repartitionCommand } from './commands/repartition.ts'
import { replayCommand } from './commands/replay.ts'
import { rollbackCommand } from './commands/rollback.ts'
import { sealCommand } from './commands/seal.ts'
import { shedCommand } from './commands/shed.ts'
import { statusCommand } from './commands/status.ts'
import { verifyCommand } from './commands/verify.ts'
import { workerCommand } from './commands/worker.ts'
import { withGlobalOptions } from './global-options.ts'
import type { Host } from './host.ts'
import { wantsJson } from './report-error.ts'

const commands = [
  initCommand,
  migrateCommand,
  workerCommand,
  statusCommand,
  doctorCommand,
  queryCommand,
  rebuildCommand,
  replayCommand,
  diffCommand,
  promoteCommand,
  rollbackCommand,
  modeCommand,
  dropCommand,
  repartitionCommand,
  parkedCommand,
  shedCommand,
  processCommand,
  dropSlotsCommand,
  captureCommand,
  verifyCommand,
  auditCommand,
  sealCommand,
  checkpointCommand,
]

const exitCodeHelp = `
Exit codes:
  0    done
  1    unexpected error
  2    wrong usage, option or config file
  3    cannot connect, server not usable, no log installed
  4    refused as things stand: unknown, in another state, behind, in use
  5    a handler failed
  6    verify or audit found damage
  7    doctor found an error
  8    diff found rows that differ
  130  stopped by SIGINT (Ctrl-C); 143 by SIGTERM`

/** Puts the commands together. Errors of usage are thrown, not printed. */
export function buildProgram(argv: readonly string[], host: Host): Command {
  const program = withGlobalOptions(new Command('tidemark'))
    .description('Postgres-native event sourcing')
    .version(packageVersion(), '-V, --version', 'print the version')
    .addHelpText('after', exitCodeHelp)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => {
        if (!wantsJson(argv)) host.stderr.write(text)
      },
      outputError: () => {},
    })
    // Or else `drop --version 1` would print the version of the program.
    .enablePositionalOptions()
  for (const make of commands) program.addCommand(prepare(make(host), program))
  return program
}

/** Gives a command, and those below it, what all of them have. */
function prepare(command: Command, parent: Command): Command {
  withGlobalOptions(command).copyInheritedSettings(parent)
  for (const child of command.commands) prepare(child, command)
  return command
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
