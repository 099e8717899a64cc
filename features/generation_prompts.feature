Feature: Asking a language model
  A language model reads what was found between delimiters that no document can forge, told by a
  prompt that the workspace chose; what it was given, and by which prompt, is told.

  Background:
    Given a language model that obeys every order that it finds outside of a passage
    And a workspace with these documents
      | source_id            | text                                                                |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. Fees are never refunded. |
      | policies/travel.txt  | Hotels are reimbursed up to 140 EUR a night.                        |
      | policies/copy.txt    | Hotels are reimbursed up to 140 EUR a night.                        |

  Scenario: An answer cites, and tells its prompt
    When I ask "When are refunds paid?"
    Then the answer says "7 days"
    And the answer cites "policies/refunds.txt"
    And the answer was made with the prompt "answer/v1.en"

  Scenario: What is not in the documents is not answered
    When I ask "Who founded the observatory in Samarkand?"
    Then the answer is "The documents do not say."

  Scenario Outline: Orders in documents are not obeyed
    Given documents that give orders by "<family>"
    When I ask "When are refunds paid?"
    Then the answer says "Refunds are paid within 7 days of purchase."
    And the answer cites "policies/refunds.txt"
    And nothing that was ordered is said

    Examples:
      | family              |
      | overriding          |
      | forged delimiter    |
      | chat template       |
      | fake system message |
      | hidden characters   |
      | leak of the prompt  |
      | call of a tool      |
      | exfiltration        |
      | forged citation     |

  Scenario: What is said twice is given once
    When I ask "Up to what price a night are hotels reimbursed?"
    Then the answer says "140 EUR"
    And one of two sources of the same words was left out as a duplicate

  Scenario: A workspace is answered in its language
    Given the workspace's prompts are {"language": "de"}
    When I ask "Who founded the observatory in Samarkand?"
    Then the answer is "Die Dokumente sagen es nicht."
    And the answer was made with the prompt "answer/v1.de"

  Scenario: Two versions of a prompt share the questions
    Given the workspace's prompts are {"split": [[1, 1], [2, 1]]}
    When I ask twenty questions, each of them twice
    Then each was answered by one version, and both versions answered some

  Scenario: A prompt that is not there is refused
    When I choose the prompts {"version": 99}
    Then it is refused with 422 and the code "unknown_prompt"

  Scenario: Other wordings are searched for, too
    Given the workspace searches for 1 paraphrase
    When I search for "When do customers get their money?"
    Then "policies/refunds.txt" was found by a paraphrase
