/** Code of a model call whose answer was lost with its worker; set when the next owner finds it. */
export const lostAnswerCode = 'AGENT_ANSWER_LOST';
