//! Sentences of signing in, teams, tokens, oneself.

use super::sentences;

sentences! {
    first_title: "Berth waits for its administrator" / "Berth가 관리자를 기다리고 있어요";
    first_how: "Open the one-time link that `berth serve` printed when it started. It looks like this:" / "`berth serve`를 시작할 때 출력된 일회용 링크를 여세요. 이렇게 생겼어요:";
    first_where: "No link any more? Start the server again: it prints a fresh one until somebody has used it." / "링크를 잃어버렸나요? 서버를 다시 시작하면 누군가 사용할 때까지 새 링크를 출력해요.";
    setup_title: "Welcome to Berth" / "Berth에 오신 것을 환영해요";
    setup_below: "You are the first one here, and so its administrator. This link works once." / "첫 사용자이므로 관리자가 돼요. 이 링크는 한 번만 쓸 수 있어요.";
    setup_do: "Create administrator" / "관리자 만들기";
    your_name: "Your name" / "이름";
    email: "Email" / "이메일";
    password: "Password" / "비밀번호";
    password_hint: "At least 10 characters. A few words in a row are good." / "10자 이상이어야 해요. 단어 몇 개를 이어 쓰면 좋아요.";
    password_old: "Password now" / "지금 비밀번호";
    password_new: "New password" / "새 비밀번호";
    password_change: "Change password" / "비밀번호 변경";
    login_title: "Sign in" / "로그인";
    login_do: "Sign in" / "로그인";
    login_help: "No account? An owner of your team can invite you." / "계정이 없나요? 팀 소유자에게 초대를 요청하세요.";
    link_title: "Sign in with this link" / "이 링크로 로그인";
    link_below: "The link works once. It takes the place of your password this time." / "한 번만 쓸 수 있는 링크예요. 지금은 비밀번호가 필요 없어요.";
    invited_to(team): "Join {team}" / "{team} 팀에 참여하기";
    invited_by(by, role, email): "{by} invites you as {role}. The invitation is for {email}." / "{by} 님이 {role} 역할로 초대했어요. 초대받은 주소는 {email}이에요.";
    invited_do: "Join the team" / "팀에 참여하기";

    teams_below: "A team owns services and decides who may ship them." / "팀은 서비스를 소유하고 누가 배포할지 정해요.";
    teams_empty: "You are in no team yet. Create one, or ask to be invited." / "아직 속한 팀이 없어요. 팀을 만들거나 초대를 요청하세요.";
    new_team: "New team" / "새 팀";
    new_team_below: "A team owns services. You become its owner and can invite others." / "팀은 서비스를 소유해요. 소유자가 되어 다른 사람을 초대할 수 있어요.";
    new_team_do: "Create team" / "팀 만들기";
    role_of(name): "Role of {name}" / "{name} 님의 역할";
    only_owner: "A team needs an owner: make somebody else one first." / "팀에는 소유자가 있어야 해요. 먼저 다른 사람을 소유자로 정하세요.";
    leave: "Leave" / "나가기";
    leave_says: "You lose sight of the team at once. An owner can invite you again." / "바로 팀을 볼 수 없게 돼요. 소유자가 다시 초대할 수 있어요.";
    remove_member_says(name): "{name} loses sight of the team at once, and their tokens with them." / "{name} 님은 바로 팀을 볼 수 없고, 토큰도 쓸 수 없게 돼요.";
    invite: "Invite somebody" / "초대하기";
    invite_hint: "The invitation is bound to this address, works once and ends after a few days." / "초대는 이 주소에서만, 한 번만 쓸 수 있고 며칠 뒤에 끝나요.";
    invite_do: "Make invitation" / "초대 만들기";
    invitation_made(email): "Invitation for {email}." / "{email} 초대를 만들었어요.";
    shown_once: "Copy it now; it is not shown again." / "지금 복사하세요. 다시 보여 주지 않아요.";
    open_invitations: "Open invitations" / "대기 중인 초대";
    invitation_says(role, by, until): "{role}, by {by}, good until {until}" / "{role} · {by} 님이 초대 · {until}까지";
    withdraw: "Withdraw" / "거두기";

    tokens_below: "For Git, the command line and programs. Each does what you may do, as far as its scopes allow." / "Git, 명령줄, 프로그램에서 써요. 내 권한 가운데 범위로 허용한 일만 할 수 있어요.";
    tokens_empty: "No tokens yet. Make one to push with Git: it takes the place of the password." / "아직 토큰이 없어요. Git으로 푸시하려면 하나 만드세요. 비밀번호 대신 써요.";
    new_token: "New token" / "새 토큰";
    new_token_do: "Make token" / "토큰 만들기";
    token_name_hint: "What it is for: laptop, ci, chat bot." / "용도를 적으세요. 예: 노트북, ci, 챗봇";
    token_made(name): "Token {name} is made." / "{name} 토큰을 만들었어요.";
    bound_to: "Only for" / "대상 팀";
    every_team: "Every team of mine" / "내 모든 팀";
    only_team(team): " · only {team}" / " · {team} 팀만";
    ends: "Ends" / "만료";
    no_end: "no end" / "만료 없음";
    ends_on(day): "until {day}" / "{day}까지";
    never_used: "never used" / "사용한 적 없음";
    revoke: "Revoke" / "폐기";
    revoke_says(name): "Whatever uses the token {name} stops working at once." / "{name} 토큰을 쓰는 모든 것이 바로 멈춰요.";
    revoke_does: "Revoke token" / "토큰 폐기";

    about_you: "About you" / "내 정보";
    on_platform: "On the platform" / "플랫폼 역할";
    admin: "Administrator" / "관리자";
    no_role: "No role" / "역할 없음";
    language: "Language" / "언어";
    language_of_console: "Language of the console" / "콘솔 언어";
    language_of_browser: "As the browser says" / "브라우저 설정에 따름";
    sessions: "Sessions" / "세션";
    everywhere: "Sign out everywhere" / "모든 기기에서 로그아웃";
    everywhere_below: "Ends every session on every device, this one too. Tokens stay." / "이 기기를 포함해 모든 기기의 세션을 끝내요. 토큰은 그대로예요.";
    everywhere_says: "You have to sign in again on every device." / "모든 기기에서 다시 로그인해야 해요.";
}

impl super::Lang {
    /// "30 days from now" …
    pub fn in_days(self, days: u32) -> String {
        match self {
            Self::En => format!("in {days} days"),
            Self::Ko => format!("{days}일 뒤"),
        }
    }
}
