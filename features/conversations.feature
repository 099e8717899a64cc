Feature: Conversations
  Who asks a second question need not say again what the first one was about, and what was said
  is kept for them alone.

  Background:
    Given a workspace with these documents
      | source_id            | text                                                                                                                |
      | policies/berlin.txt  | Hotels in Berlin are reimbursed up to 140 EUR a night.                                                              |
      | policies/paris.txt   | Hotels in Paris are reimbursed up to 190 EUR a night.                                                               |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.                                                                         |
      | policies/limits.txt  | The head of finance approves refunds above 500 EUR.                                                                 |
      | policies/remote.txt  | Employees may work remotely three days a week. Work from abroad needs the consent of human resources.               |
    And a session

  Scenario: A fragment is understood from the question before it
    When I ask "Up to what price a night are hotels in Berlin reimbursed?" in the session
    And I ask "And in Paris?" in the session
    Then the answer says "190 EUR"
    And it was searched as "Up to what price a night are hotels in Paris reimbursed?"

  Scenario: A pronoun is understood from the question before it
    When I ask "How fast are refunds paid?" in the session
    And I ask "Who approves them above 500 EUR?" in the session
    Then the answer says "head of finance"

  Scenario: A question that stands alone stays as it is
    When I ask "How fast are refunds paid?" in the session
    And I ask "How many days a week may employees work remotely?" in the session
    Then the answer says "three days"
    And it was searched as "How many days a week may employees work remotely?"

  Scenario: A follow-up shares its cached answer with the whole question
    When I ask "Up to what price a night are hotels in Berlin reimbursed?" in the session
    And I ask "And in Paris?" in the session
    And I ask "Up to what price a night are hotels in Paris reimbursed?"
    Then the answer came from the cache
    And "And in Paris?" is not in the answer

  Scenario: What was said can be read again, page by page
    When I ask "How fast are refunds paid?" in the session
    And I ask "Who approves them above 500 EUR?" in the session as a stream
    Then the session holds these questions
      | How fast are refunds paid? |
      | Who approves them above 500 EUR?         |
    And its last answer says "head of finance"
    And its list holds the session

  Scenario: An answer goes with the document that it was made from
    When I ask "Up to what price a night are hotels in Paris reimbursed?" in the session
    And I delete "policies/paris.txt"
    Then "190 EUR" is nowhere in the session
    And the session holds these questions
      | Up to what price a night are hotels in Paris reimbursed? |

  Scenario: A deleted session is gone
    When I ask "How fast are refunds paid?" in the session
    And I delete the session
    Then the session is not found
    When I ask "Who approves them above 500 EUR?" in the session
    Then it is refused with 404 and the code "unknown_session"

  Scenario: A session ends with its workspace
    When I ask "How fast are refunds paid?" in the session
    And I delete its workspace
    Then the session is not found

  Scenario: A session is of one workspace
    Given another workspace with these documents
      | source_id | text               |
      | other.txt | Nothing is to say. |
    When I ask "Who approves them?" there in the session
    Then it is refused with 404 and the code "unknown_session"

  Scenario: A WebSocket tells what was said before
    When a socket asks "And in Paris?" after "Up to what price a night are hotels in Berlin reimbursed?"
    Then the answer says "190 EUR"

  Scenario: A language model makes a follow-up whole, and is asked nothing but the whole question
    Given a language model that reads what was said before
    And a workspace with these documents
      | source_id            | text                                                |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.         |
      | policies/limits.txt  | The head of finance approves refunds above 500 EUR. |
    And a session
    When I ask "How fast are refunds paid?" in the session
    And I ask "Whose consent is needed then?" in the session
    Then the answer says "head of finance"
    And it was searched as "Who approves refunds above 500 EUR?"
    And the model was told what was said, and answered without it

  Scenario: What a language model made of an answer goes with the answer's document
    Given a language model that reads what was said before
    And a workspace with these documents
      | source_id            | text                                                | department |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.         | one        |
      | policies/limits.txt  | The head of finance approves refunds above 500 EUR. | two        |
    And a session
    When I ask "How fast are refunds paid?" in the session where department eq "one"
    And I ask "Whose consent is needed then?" in the session where department eq "two"
    And I delete "policies/refunds.txt"
    Then no answer in the session has its text
