import { family } from './entry.ts';

/** Codes of the configuration, and of what it forbids. */
export const configErrors = family({
  CONFIG_INVALID: {
    sentence: 'The configuration is not valid.',
    next: 'Mend what is named, at the line and column shown; `berth config check FILE` looks at it without a server.',
    retryable: false,
    http: 422,
    exit: 2,
  },
  CONFIG_UNREADABLE: {
    sentence: 'The configuration file cannot be read.',
    next: 'Check that the file named is there and readable for the user that runs Berth.',
    retryable: false,
    http: 503,
    exit: 2,
  },
  CONFIG_READ_ONLY: {
    sentence: 'This comes from the configuration file and is changed there.',
    next: 'Change the file that is named; it is read again by itself.',
    retryable: false,
    http: 409,
    exit: 2,
  },
  CONFIG_CHANGED: {
    sentence: 'Somebody else changed it meanwhile.',
    next: 'Read it again and repeat the change on what is there now.',
    retryable: false,
    http: 412,
    exit: 1,
  },
  CONFIG_VERSION_NEEDED: {
    sentence: 'A change has to say which version it changes.',
    next: 'Send the ETag that was read as If-Match, or `If-None-Match: *` for something new.',
    retryable: false,
    http: 428,
    exit: 2,
  },
  CONFIG_NAME_TAKEN: {
    sentence: 'This is in use elsewhere in the configuration.',
    next: 'Take it out of what is named first.',
    retryable: false,
    http: 409,
    exit: 2,
  },
  CONFIG_REVISION_GONE: {
    sentence: 'The revision of the configuration that this run was created under cannot be read.',
    next: 'Use the version of Berth that wrote it, or a newer one, or create the task again.',
    retryable: false,
    http: 500,
    exit: 1,
  },
  EGRESS_BEYOND_CEILING: {
    sentence: 'The blueprint opens a host that the configuration does not allow.',
    next: 'Take the rule out of the blueprint, or have an admin allow it under `egress` or in the project.',
    retryable: false,
    http: 409,
    exit: 3,
  },
  SANDBOX_PROFILE_MISSING: {
    sentence: 'The sandbox profile of this project is not configured.',
    next: 'Have an admin add the profile that is named under `sandboxes`, or name another in the project.',
    retryable: false,
    http: 409,
    exit: 3,
  },
  SANDBOX_DRIVER_MISSING: {
    sentence: 'This worker does not have the sandbox driver that the profile asks for.',
    next: 'Set `driver` of the profile to `auto`, or start a worker that has the driver.',
    retryable: false,
    http: 409,
    exit: 3,
  },
  BLUEPRINT_FIXED: {
    sentence: 'The blueprint of this project is set in the configuration; a task cannot bring its own.',
    next: 'Leave the blueprint out, or have a maintainer change the project.',
    retryable: false,
    http: 409,
    exit: 3,
  },
  MODEL_PROVIDER_REVOKED: {
    sentence: 'The model provider that this run was planned with is no longer configured.',
    next: 'Start the task again; a new run takes the models that are configured now.',
    retryable: false,
    http: 409,
    exit: 3,
  },
});
