import { Command } from 'commander'
import { diagnosisText, refuseIllness } from '../diagnosis-text.ts'
import { explainServerError } from '../explain-server-error.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget } from '../target.ts'

interface DoctorCommandOptions extends GlobalOptions {
  readonly grace?: number
}

/** `tidemark doctor`: finds out what keeps a log from working, or will. */
export function doctorCommand(host: Host): Command {
  return new Command('doctor')
    .description('check server, settings, slot, workers, lag and tables, and say what to do')
    .option(
      '--grace <ms>',
      'how long an event may be without a position (default: 5000)',
      positiveInteger,
    )
    .addHelpText('after', '\nExits with 7 when there is an error; warnings alone are 0.')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DoctorCommandOptions>()
      const { connectionString, schema, config } = await resolveTarget(options, host)
      const { diagnose } = await import('../../worker/doctor/diagnose.ts')
      const diagnosis = await explainServerError(
        connectionString,
        diagnose({
          connectionString,
          ...(schema === undefined ? {} : { schema }),
          ...(config.projections === undefined ? {} : { projections: config.projections }),
          ...(options.grace === undefined ? {} : { graceMs: options.grace }),
        }),
      )
      printResult(host, options, diagnosis, diagnosisText)
      refuseIllness(diagnosis)
    })
}
